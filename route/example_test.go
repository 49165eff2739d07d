package route_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
)

// A route in a table of its own, replaced over a Conn that only prints the route.
func Example() {
	ctx, c := context.Background(), recorder{} // or route.Dial(nil)
	r := route.Route{
		Gateway:  netip.MustParseAddr("192.168.2.1"),
		Table:    20,
		Protocol: route.ProtoStatic,
	}
	if err := route.Replace(ctx, c, r); err != nil {
		log.Fatal(err)
	}
	// Output: ip route replace default via 192.168.2.1 table 20 proto static
}

func ExampleParse() {
	r, err := route.Parse("default via 192.168.2.1 dev if5 table 20", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Gateway, r.OIF, r.Table, r.Type)

	_, err = route.Parse("default vai 192.168.2.1", nil)
	fmt.Println(err)
	// Output:
	// 192.168.2.1 5 20 unicast
	// route: word 2 "vai": not an attribute of a route; did you mean via?
}

func ExampleRoute_String() {
	fmt.Println(route.Route{
		Dst:      netip.MustParsePrefix("10.0.0.0/8"),
		Gateway:  netip.MustParseAddr("fe80::1"),
		OIF:      5,
		Protocol: route.ProtoStatic,
		Priority: 100,
	})
	// Output: 10.0.0.0/8 via inet6 fe80::1 dev if5 proto static metric 100
}

// A route in a file is one readable string.
func ExampleRoute_MarshalText() {
	routes := []route.Route{{
		Type:  route.TypeUnreachable,
		Dst:   netip.MustParsePrefix("10.0.0.0/8"),
		Table: 20,
	}}
	b, err := json.Marshal(routes)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))
	// Output: ["unreachable 10.0.0.0/8 table 20 proto unspec"]
}

func ExampleRoute_AppendBinary() {
	r := route.Route{Family: route.IPv4, Type: route.TypeBlackhole, Dst: netip.MustParsePrefix("10.0.0.0/8"), Table: 20}
	b, err := r.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(b), "bytes")
	var back route.Route
	if err := back.UnmarshalBinary(b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.Equal(r))
	// Output:
	// 20 bytes
	// true
}

// A recorder is a Conn that sends nothing. It shows, or lets a test check, what a
// program would send to the kernel.
type recorder struct{}

func (recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	var r route.Route
	if err := r.UnmarshalBinary(m.Data); err != nil {
		return nil, err
	}
	fmt.Println("ip route replace", r)
	return nil, nil
}

// A kernel is a Conn that lists the routes that it was made with.
type kernel []route.Route

func (k kernel) Execute(netlink.Message) (msgs []netlink.Message, err error) {
	for _, r := range k {
		m := netlink.Message{Header: netlink.Header{Type: 24}} // RTM_NEWROUTE
		if m.Data, err = r.MarshalBinary(); err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

func ExampleAll() {
	var k kernel
	for _, s := range []string{"10.0.0.0/8 via 192.168.2.1 table 20", "default via 192.168.1.1", "throw default table 20"} {
		r, err := route.Parse(s, nil)
		if err != nil {
			log.Fatal(err)
		}
		k = append(k, r)
	}
	for r, err := range route.All(context.Background(), k, route.Filter{Table: 20}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r)
	}
	// Output:
	// 10.0.0.0/8 via 192.168.2.1 table 20
	// throw default table 20
}

func ExampleOpt() {
	var unset route.Opt[uint32]
	zero := route.Uint32(0)
	fmt.Println(unset, zero, unset == zero)
	fmt.Println(unset.Or(7), zero.Or(7))
	r := route.Route{Preference: route.Some(route.PrefHigh), Expires: route.Uint32(60)}
	fmt.Println(r.Preference, r.Expires)
	// Output:
	// unset 0 false
	// 7 0
	// high 60
}
