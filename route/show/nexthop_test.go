package show_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/route/show"
)

// encapIP is the payload of NHA_ENCAP for "encap ip id 5".
var encapIP = attr.Append(nil, uint16(uapi.LWTUNNEL_IP_ID), binary.BigEndian.AppendUint64(nil, 5))

// withEncap is an object with an encapsulation of a type.
func withEncap(typ route.EncapType, payload []byte) nexthop.Object {
	b := attr.Append(nil, uint16(uapi.NHA_ENCAP_TYPE), binary.NativeEndian.AppendUint16(nil, uint16(typ)))
	b = attr.Append(b, uint16(uapi.NHA_ENCAP), payload)
	return nexthop.Object{ID: 20, Family: route.IPv4, Gateway: netip.MustParseAddr("192.168.2.1"), OIF: eth1, Scope: route.ScopeLink,
		Unknown: route.Attributes(b)}
}

// objects are nexthop objects, and how the code of iproute2 7.1 shows them.
var objects = []struct {
	object     nexthop.Object
	style      show.Style
	text, json string
}{
	{nexthop.Object{}, show.Style{}, "id 0 ", `{"id":0,"flags":[]}`},
	{nexthop.Object{ID: 13, Family: route.IPv4, Blackhole: true}, show.Style{Details: true},
		"id 13 scope global blackhole proto unspec ", `{"id":13,"scope":"global","blackhole":null,"protocol":"unspec","flags":[]}`},
	{nexthop.Object{ID: 103, Group: []nexthop.Member{{ID: 17, Weight: 1}, {ID: 18, Weight: 256}}, FDB: true}, show.Style{},
		"id 103 group 17/18,256 fdb", `{"id":103,"group":[{"id":17},{"id":18,"weight":256}],"flags":[],"fdb":null}`},
	{nexthop.Object{ID: 104, Group: []nexthop.Member{{ID: 10, Weight: 1}}, GroupType: 300}, show.Style{},
		"id 104 group 10 type <unknown type> ", `{"id":104,"group":[{"id":10}],"type":"<unknown type>","flags":[]}`},
	{withEncap(route.EncapTypeIP, encapIP), show.Style{},
		"id 20  encap ip id 5 via 192.168.2.1 dev eth1 scope link ",
		`{"id":20,"encap":{"encap_type":"ip","id":5},"gateway":"192.168.2.1","dev":"eth1","scope":"link","flags":[]}`},
	{withEncap(77, nil), show.Style{}, "id 20  encap unknown via 192.168.2.1 dev eth1 scope link ",
		`{"id":20,"encap":{"encap_type":"unknown"},"gateway":"192.168.2.1","dev":"eth1","scope":"link","flags":[]}`},
	{withEncap(route.EncapTypeIP, []byte{1, 2, 3}), show.Style{}, // which the kernel never sends
		"id 20 via 192.168.2.1 dev eth1 scope link ",
		`{"id":20,"gateway":"192.168.2.1","dev":"eth1","scope":"link","flags":[]}`},
}

func TestNextHop(t *testing.T) {
	report := testrun.Limit(t)
	for _, test := range objects {
		test.style.Names = routeNames(t)
		if got := show.NextHop(test.object, test.style); got != test.text {
			report.Errorf("%s:\n got %q\nwant %q", test.object, got, test.text)
		}
		test.style.JSON = true
		if got, want := show.NextHop(test.object, test.style), "["+test.json+"]"; got != want {
			report.Errorf("%s:\n got %s\nwant %s", test.object, got, want)
		}
	}
}

// FuzzNextHop: whatever is decoded can be shown, and JSON is JSON.
func FuzzNextHop(f *testing.F) {
	for i, test := range objects {
		b, err := test.object.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i))
	}
	names := routeNames(f)
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, b []byte, options uint8) {
		seeds.Next(t)
		var n nexthop.Object
		if n.UnmarshalBinary(b) != nil {
			return
		}
		s := show.Style{Details: options&1 != 0, Numeric: options&2 != 0, OneLine: options&4 != 0, Statistics: options&16 != 0}
		if options&8 == 0 {
			s.Names = names
		}
		if text := show.NextHop(n, s); !strings.HasPrefix(text, "id ") {
			t.Fatalf("%q", text)
		}
		s.JSON = true
		compact := show.NextHop(n, s)
		s.Pretty = true
		for _, text := range []string{compact, show.NextHop(n, s)} {
			var back bytes.Buffer
			if err := json.Compact(&back, []byte(text)); err != nil || !utf8.ValidString(text) {
				t.Fatalf("%q: %v", text, err)
			}
			if back.String() != compact {
				t.Fatalf("compact %s\npretty %s", compact, back.String())
			}
		}
	})
}
