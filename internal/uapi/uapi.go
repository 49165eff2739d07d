// Package uapi has constants of the Linux kernel's interface to user space. There
// is one Go file for each kernel header, with the name of the header.
//
// The constants have the kernel's own names, with upper case and underscores,
// although that is not Go's style: a reader can search for FRA_DPORT_MASK in the
// kernel, in iproute2 and in manual pages, and not for fraDportMask. Constants
// without a name in the kernel (sizes and offsets of structs) have Go names.
//
// The values are literal numbers and do not come from golang.org/x/sys/unix, so
// that the packages that import this one build and print on any operating system.
// A test on Linux compares each of them with x/sys, or with the kernel's headers
// if x/sys does not have it.
//
// The comment of a constant begins with the first kernel that has it: "2.6" alone
// means 2.6 or earlier, "by 6.1" means 6.1 or earlier. If a number was renamed
// later, it is the first kernel that has the number. Attributes that a codec row
// can name are typed, and their version is also available to programs: see
// [FRA.Since].
package uapi

import "strconv"

// An attribute is the name and the age of one attribute number.
type attribute struct {
	name  string
	since Version // zero: older than Linux 3.0
}

// attributes are indexed by attribute number, without gaps.
type attributes []attribute

// name returns the kernel's name of attribute n, or prefix and number if the table
// does not have it, as for an attribute of a newer kernel.
func (t attributes) name(prefix string, n uint16) string {
	if int(n) < len(t) {
		return t[n].name
	}
	return prefix + strconv.Itoa(int(n))
}

// since returns the first kernel with attribute n. It returns zero for an attribute
// of Linux 2.6 and for an unknown one.
func (t attributes) since(n uint16) Version {
	if int(n) < len(t) {
		return t[n].since
	}
	return Version{}
}
