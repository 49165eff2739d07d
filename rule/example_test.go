package rule_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

func ExampleParse() {
	r, err := rule.Parse("from 192.168.2.0/24 fwmark 0x10/0xf0 table 20 pref 1000", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.From, r.Table, r.FwMark)
	fmt.Println(r)

	_, err = rule.Parse("from 192.168.2.0/24 dprot 53", nil)
	fmt.Println(err)
	// Output:
	// 192.168.2.0/24 20 0x10/0xf0
	// 1000: from 192.168.2.0/24 fwmark 0x10/0xf0 lookup 20
	// rule: word 3 "dprot": not a selector or an action; did you mean dport?
}

func ExampleRule_String() {
	r := rule.Rule{
		Priority:             rule.Priority(1000),
		From:                 netip.MustParsePrefix("2001:db8::2/128"),
		DPort:                rule.PortRange(80, 443),
		Table:                254,
		SuppressPrefixLength: rule.SuppressPrefixLength(0),
	}
	fmt.Println(r)
	// Output: 1000: from 2001:db8::2 dport 80-443 lookup main suppress_prefixlength 0
}

// A rule in a file is one readable string.
func ExampleRule_MarshalText() {
	rules := []rule.Rule{{
		From:  netip.MustParsePrefix("192.168.2.2/32"),
		Table: 20,
	}}
	b, err := json.Marshal(rules)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))
	// Output: ["from 192.168.2.2 lookup 20"]
}

// A list has a rule in canonical form.
func ExampleRule_Canonical() {
	wanted := rule.Rule{FwMark: rule.FwMark(1).Masked(0xffffffff), Table: 20, Family: route.IPv4}
	listed := rule.Rule{FwMark: rule.FwMark(1), Table: 20, Family: route.IPv4, Action: rule.ActionLookup}
	fmt.Println(wanted == listed, wanted.Canonical() == listed)
	// Output: false true
}

func ExampleRule_AppendBinary() {
	r := rule.Rule{Family: route.IPv4, From: netip.MustParsePrefix("192.168.2.2/32"), Table: 20, Action: rule.ActionLookup}
	b, err := r.AppendBinary(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(b), "bytes")
	var back rule.Rule
	if err := back.UnmarshalBinary(b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back == r)
	// Output:
	// 20 bytes
	// true
}

// A recorder is a Conn that sends nothing: enough to see, or to test, what a
// program would ask of the kernel.
type recorder struct{}

func (recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	const rtmNewRule = 32
	var r rule.Rule
	if err := r.UnmarshalBinary(m.Data); err != nil {
		return nil, err
	}
	if m.Header.Type == rtmNewRule {
		fmt.Println("ip rule add", r.Args(nil))
	}
	return nil, nil
}

func ExampleAdd() {
	err := rule.Add(context.Background(), recorder{}, rule.Rule{
		Priority: rule.Priority(1000),
		From:     netip.MustParsePrefix("192.168.2.2/32"),
		Table:    20,
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: ip rule add from 192.168.2.2 lookup 20 pref 1000
}

// Rules by port, by user and by firewall mark.
func ExampleAdd_selectors() {
	for _, r := range []rule.Rule{
		{IPProto: route.TCP, DPort: rule.Port(25)},
		{UIDRange: rule.UIDRange(1000, 1999)},
		{FwMark: rule.FwMark(0x2).Masked(0xff)},
	} {
		r.Family, r.Table, r.Priority = route.IPv4, 20, rule.Priority(1000)
		if err := rule.Add(context.Background(), recorder{}, r); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// ip rule add from all ipproto tcp dport 25 lookup 20 pref 1000
	// ip rule add from all uidrange 1000-1999 lookup 20 pref 1000
	// ip rule add from all fwmark 0x2/0xff lookup 20 pref 1000
}

// A rule from the bytes of a message, as a capture or another library has them.
func ExampleRule_UnmarshalBinary() {
	b := []byte{
		2, 0, 32, 0, 20, 0, 0, 1, 0, 0, 0, 0, // struct fib_rule_hdr: AF_INET, /32, table 20, FR_ACT_TO_TBL
		8, 0, 2, 0, 192, 168, 2, 2, // FRA_SRC, on a little-endian machine
	}
	if binary.NativeEndian.Uint16(b[12:]) != 8 { // big-endian
		b[12], b[13], b[14], b[15] = 0, 8, 0, 2
	}
	var r rule.Rule
	if err := r.UnmarshalBinary(b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r)
	// Output: from 192.168.2.2 lookup 20
}

// A kernel is a Conn that lists the rules that it was made with.
type kernel []rule.Rule

func (k kernel) Execute(netlink.Message) (msgs []netlink.Message, err error) {
	for _, r := range k {
		m := netlink.Message{Header: netlink.Header{Type: 32}}
		if m.Data, err = r.MarshalBinary(); err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

func ExampleAll() {
	k := kernel{
		{Family: route.IPv4, Priority: rule.Priority(0), Action: rule.ActionLookup, Table: 255},
		{Family: route.IPv4, Priority: rule.Priority(1000), Action: rule.ActionUnreachable},
		{Family: route.IPv4, Priority: rule.Priority(32766), Action: rule.ActionLookup, Table: 254},
	}
	for r, err := range rule.All(context.Background(), k, rule.Filter{Family: route.IPv4}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r)
	}
	// Output:
	// 0: from all lookup local
	// 1000: from all unreachable
	// 32766: from all lookup main
}

// Each deletion has its own result, and all of them need only one listing.
func ExampleDeleter() {
	lan2 := rule.Rule{Family: route.IPv4, Priority: rule.Priority(1000), Table: 20, Action: rule.ActionLookup}
	lan3 := rule.Rule{Family: route.IPv4, Priority: rule.Priority(1001), Table: 30, Action: rule.ActionLookup}
	k := kernel{lan2, lan3}
	var d rule.Deleter
	for _, r := range []rule.Rule{lan2, lan3, {Table: 40, Priority: rule.Priority(1002)}} {
		fmt.Println(r.Table, d.Delete(context.Background(), k, r))
	}
	// Output:
	// 20 <nil>
	// 30 <nil>
	// 40 rule: delete "from all lookup 40 pref 1002": no such rule: file does not exist
}

// A batch sends many requests at once and reports each one that was refused.
func ExampleBatch() {
	var b rule.Batch
	b.Routes.Add(route.Route{Gateway: netip.MustParseAddr("192.168.2.1"), Table: 20})
	b.Add(rule.Rule{From: netip.MustParsePrefix("192.168.2.2/32"), Table: 20, Priority: rule.Priority(1000)})
	b.Add(rule.Rule{From: netip.MustParsePrefix("192.168.2.3/32"), Priority: rule.Priority(1001)})
	err := b.Do(context.Background(), kernel{})
	var be *route.BatchError
	if errors.As(err, &be) {
		for _, refused := range be.Refused {
			fmt.Println(refused.N, refused.Err)
		}
	}
	// Output: 2 rule: add "from 192.168.2.3 lookup 0 pref 1001": the action lookup needs a table
}

// Attributes that this package has no field for are kept.
func ExampleRule_unknown() {
	b, err := rule.Rule{Family: route.IPv4, Table: 20}.MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	// struct nlattr: length and type in host order, then the payload.
	b = binary.NativeEndian.AppendUint16(b, 8)
	b = binary.NativeEndian.AppendUint16(b, 99)
	b = append(b, 1, 2, 3, 4)

	var r rule.Rule
	if err := r.UnmarshalBinary(b); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r)
	// Output: from all lookup 20 attribute 99 01020304
}
