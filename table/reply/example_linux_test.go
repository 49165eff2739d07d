package reply_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// A VPN server listens on UDP port 1194 of all addresses. Clients of the second uplink get
// their answers from the address that they have asked.
func Example() {
	ctx := context.Background()
	c, done := tabletest.Server() // a namespace with eth1 192.168.2.2/24; else route.Dial(nil)
	defer done()

	lan2 := table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
	}
	if err := lan2.Install(ctx, c); err != nil {
		log.Fatal(err)
	}
	policy := reply.Policy{UDP: []rule.Ports{rule.Port(1194)}}
	plan, err := reply.PlanInstall(ctx, c, policy, reply.Uplink{SourceRoutedUplink: lan2})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	if err := plan.Apply(ctx, c); err != nil {
		log.Fatal(err)
	}
	// Output:
	// nft -f - <<'EOF'
	// add table inet policyroute { comment "policyroute: answers leave by the way the question came"; }
	// add set inet policyroute asked_192.168.2.2 { type ipv4_addr . inet_service . inet_service; size 65536; flags dynamic,timeout; timeout 60s; gc-interval 100ms; }
	// add chain inet policyroute questions { type filter hook input priority 110; policy accept; }
	// add chain inet policyroute answers { type route hook output priority -300; policy accept; }
	// add chain inet policyroute question
	// add chain inet policyroute answer
	// add chain inet policyroute question_ipv4
	// add chain inet policyroute answer_ipv4
	// add chain inet policyroute asked_192.168.2.2
	// add rule inet policyroute questions meta l4proto != udp accept
	// add rule inet policyroute answers meta l4proto != udp accept
	// add rule inet policyroute questions udp dport 1194 goto question
	// add rule inet policyroute answers udp sport 1194 goto answer
	// add rule inet policyroute question meta nfproto ipv4 goto question_ipv4
	// add rule inet policyroute answer meta nfproto ipv4 goto answer_ipv4
	// add rule inet policyroute question_ipv4 ip daddr 192.168.2.2 goto asked_192.168.2.2
	// add rule inet policyroute asked_192.168.2.2 update @asked_192.168.2.2 { ip saddr . udp sport . udp dport }
	// add rule inet policyroute question_ipv4 delete @asked_192.168.2.2 { ip saddr . udp sport . udp dport }
	// add rule inet policyroute answer_ipv4 ip daddr . udp dport . udp sport @asked_192.168.2.2 ip saddr set 192.168.2.2 accept
	// EOF
}

// Containers publish ports, and answer by the uplink of the question. Remove needs neither
// the policy nor the uplinks.
func ExampleRemove() {
	ctx := context.Background()
	c, done := tabletest.Server()
	defer done()

	lan2 := table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"), MainFirst: true,
	}
	if err := lan2.Install(ctx, c); err != nil {
		log.Fatal(err)
	}
	uplink := reply.Uplink{SourceRoutedUplink: lan2, Masquerade: true}
	if err := reply.Install(ctx, c, reply.Policy{Forwarded: true}, uplink); err != nil {
		log.Fatal(err)
	}
	plan, err := reply.PlanRemove(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plan)
	if err := reply.Remove(ctx, c); err != nil {
		log.Fatal(err)
	}
	// Output:
	// nft -f - <<'EOF'
	// delete table inet policyroute
	// EOF
	// ip rule del from all fwmark 0x4/0x7c lookup 20 proto 212 pref 31942
	// ip rule del from all fwmark 0x4/0x7c lookup main suppress_prefixlength 1 proto 212 pref 31941
}

// An error names the field and the way out.
func ExamplePolicy_Validate() {
	policy := reply.Policy{Forwarded: true, Mask: 0xf00, Mark: 0x1000}
	fmt.Println(policy.Validate())
	// Output:
	// table: Mark: 0x1000 has bits that Mask, 0xf00, has not: take the mark from the mask, or widen the mask
}
