package route

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Links has the names of a network namespace's interfaces at one moment. Routes
// refer to interfaces by index; text uses names. A nil *Links has no names: the
// interface with the index 5 is then if5, as in ip(8) if an interface has no name.
type Links struct {
	byIndex map[uint32]string
	byName  map[string]uint32
}

// MakeLinks returns the Links for names by index. If two interfaces have the same
// name, [Links.Index] returns the lower index.
func MakeLinks(names map[uint32]string) *Links {
	l := &Links{byIndex: maps.Clone(names), byName: make(map[string]uint32, len(names))}
	for _, index := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		l.byName[names[index]] = index
	}
	return l
}

// ListLinks reads the interfaces of the namespace of c (RTM_GETLINK).
func ListLinks(ctx context.Context, c Conn) (*Links, error) {
	if err := ctx.Err(); err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "list links", Err: err}
	}
	l := &Links{byIndex: make(map[uint32]string), byName: make(map[string]uint32)}
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data: attr.Append(make([]byte, uapi.SizeofIfInfomsg), uapi.IFLA_EXT_MASK,
			binary.NativeEndian.AppendUint32(nil, uapi.RTEXT_FILTER_SKIP_STATS)),
	}
	for m, err := range rtnl.Dump(c, req) {
		if err == nil {
			err = l.read(m.Data)
		}
		if err != nil {
			return nil, &rtnl.Error{Package: "route", Verb: "list links", Err: err}
		}
	}
	return l, nil
}

// read reads the index and the name in a message of type RTM_NEWLINK, which has
// about fifty other attributes.
func (l *Links) read(b []byte) error {
	if len(b) < uapi.SizeofIfInfomsg {
		return fmt.Errorf("%d bytes are no link message: its header has %d", len(b), uapi.SizeofIfInfomsg)
	}
	for num, payload := range attr.All(b[uapi.SizeofIfInfomsg:]) {
		if num == uapi.IFLA_IFNAME {
			index, name := binary.NativeEndian.Uint32(b[uapi.IfInfomsgIndex:]), strings.TrimRight(string(payload), "\x00")
			l.byIndex[index], l.byName[name] = name, index
			break
		}
	}
	return nil
}

// linkPrefix is what ip(8) puts before the index of an interface without a name.
const linkPrefix = "if"

// Name returns the name of the interface with an index, or if and the index.
func (l *Links) Name(index uint32) string {
	if l != nil {
		if name, ok := l.byIndex[index]; ok {
			return name
		}
	}
	return linkPrefix + iptext.Decimal(index)
}

// Index returns the index of the interface with a name, or the number after if.
func (l *Links) Index(name string) (index uint32, ok bool) {
	if l != nil {
		if index, ok = l.byName[name]; ok {
			return index, true
		}
	}
	digits, ok := strings.CutPrefix(name, linkPrefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	return iptext.Uint[uint32](digits, 32)
}

// All yields the index and the name of each interface, ordered by index.
func (l *Links) All() iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		if l == nil {
			return
		}
		for _, index := range slices.Sorted(maps.Keys(l.byIndex)) {
			if !yield(index, l.byIndex[index]) {
				return
			}
		}
	}
}
