// Package uapi holds numbers of the Linux kernel's interface to user space:
// one Go file a kernel header, named after it.
//
// Names are the kernel's own, upper case and underscores included, although Go
// writes names otherwise: they are what a reader greps for in the kernel, in
// iproute2 and in manual pages, and FRA_DPORT_MASK is searchable where
// fraDportMask is not. What has no name in the kernel (sizes and offsets of
// structs) is named in Go's way.
//
// Values are literal numbers and not taken from golang.org/x/sys/unix, so that
// everything above this package builds and prints on any operating system. A
// test on Linux compares each of them with x/sys and, where that lacks it, with
// the kernel's headers.
//
// The comment beside a constant begins with the first kernel that has it: "2.6"
// alone stands for 2.6 or earlier, "by 6.1" for 6.1 or some earlier one. A number
// that was given another name later dates from the first. Attributes that a
// codec row can name are typed, and for them the version is also data: see
// [FRA.Since].
package uapi

import "strconv"

// attribute is what is known of one attribute number.
type attribute struct {
	name  string
	since Version // zero: older than Linux 3.0
}

// attributes is indexed by attribute number and has no gaps.
type attributes []attribute

// name returns the kernel's name of attribute n, or prefix and number when the
// table has none: an attribute of a newer kernel still prints.
func (t attributes) name(prefix string, n uint16) string {
	if int(n) < len(t) {
		return t[n].name
	}
	return prefix + strconv.Itoa(int(n))
}

// since returns the first kernel with attribute n. It is zero for an attribute
// as old as Linux 2.6 and for an unknown one.
func (t attributes) since(n uint16) Version {
	if int(n) < len(t) {
		return t[n].since
	}
	return Version{}
}
