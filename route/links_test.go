package route

import (
	"encoding/binary"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// linkMessage is a message about the interface 7, odd0, which is up and has the
// alternative name odd-one, with attributes before and behind these.
func linkMessage(before, behind []byte) []byte {
	b := make([]byte, uapi.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[uapi.IfInfomsgIndex:], 7)
	binary.NativeEndian.PutUint32(b[uapi.IfInfomsgFlags:], uapi.IFF_UP)
	b = attr.Append(append(b, before...), uapi.IFLA_IFNAME, []byte("odd0\x00"))
	b = attr.Append(b, uapi.IFLA_PROP_LIST, attr.Append(nil, uapi.IFLA_ALT_IFNAME, []byte("odd-one\x00")))
	return append(b, behind...)
}

// iflaStats64 is IFLA_STATS64, struct rtnl_link_stats64, to which kernels add counters.
const iflaStats64 = 23

// Of an interface only index, flags and names are needed. Hardware addresses of any length,
// more counters than there are today, attributes that are not known, and bytes that are
// none do no harm.
func TestLinksOfOddMessages(t *testing.T) {
	for name, x := range map[string]struct{ before, behind []byte }{
		"plain":                           {},
		"a hardware address of no byte":   {before: attr.Append(nil, uapi.IFLA_ADDRESS, nil)},
		"a hardware address of one byte":  {before: attr.Append(nil, uapi.IFLA_ADDRESS, []byte{5})},
		"a hardware address of 200 bytes": {before: attr.Append(nil, uapi.IFLA_ADDRESS, make([]byte, 200))},
		"a longer IFLA_STATS64":           {before: attr.Append(nil, iflaStats64, make([]byte, 25*8+8))},
		"an odd IFLA_STATS64":             {before: attr.Append(nil, iflaStats64, make([]byte, 3))},
		"an empty IFLA_LINKINFO":          {before: attr.Append(nil, uapi.IFLA_LINKINFO, nil)},
		"an unknown attribute":            {before: attr.Append(nil, 999, []byte{1}), behind: attr.Append(nil, 1000, []byte{1, 2, 3})},
		"half an attribute at the end":    {behind: []byte{9, 0, 1}},
		"a wrong length at the end":       {behind: []byte{0xff, 0xff, 2, 0, 1}},
		"a property that is no name":      {behind: attr.Append(nil, uapi.IFLA_PROP_LIST, attr.Append(nil, 99, []byte{1}))},
	} {
		l := newLinks(0)
		if err := l.read(linkMessage(x.before, x.behind)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if index, ok := l.ByName("odd-one"); l.Name(7) != "odd0" || l.Flags(7) != uapi.IFF_UP || !ok || index != 7 {
			t.Errorf("%s: %q, %#x, odd-one is %d", name, l.Name(7), l.Flags(7), index)
		}
	}
	if err := newLinks(0).read(make([]byte, uapi.SizeofIfInfomsg-1)); err == nil {
		t.Error("a message without a whole header is accepted")
	}
}

// FuzzLinks: any message that has a header is read.
func FuzzLinks(f *testing.F) {
	f.Add(linkMessage(nil, nil))
	f.Add(linkMessage(attr.Append(nil, uapi.IFLA_ADDRESS, []byte{5}), attr.Append(nil, iflaStats64, make([]byte, 208))))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := newLinks(0)
		if err := l.read(b); (err == nil) != (len(b) >= uapi.SizeofIfInfomsg) {
			t.Errorf("%x: %v", b, err)
		}
		for index := range l.All() {
			l.Name(index)
		}
	})
}
