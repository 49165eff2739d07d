package nft_test

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/nft"
)

// A rule that puts 10.2.0.2 back as the source of answers to those who asked it.
func Example() {
	r := nft.Rule{Family: nft.IPv4, Table: "replies", Chain: "output", Comment: "from lan2", Exprs: []nft.Expr{
		nft.Meta{Key: nft.MetaL4Proto, Dest: nft.Reg1},
		nft.Cmp{Source: nft.Reg1, Data: nft.Byte(17)},
		nft.DestAddr(nft.IPv4, nft.Reg1),
		nft.DestPort(nft.Reg32(1)),
		nft.Lookup{Set: "asked", Source: nft.Reg1},
		nft.Immediate{Dest: nft.Reg1, Data: nft.Addr(netip.MustParseAddr("10.2.0.2"))},
		nft.SetSourceAddr(nft.IPv4, nft.Reg1),
	}}
	var b nft.Batch
	b.AddRule(r)
	fmt.Println(b.Lines()[0])
	for _, e := range r.Exprs[2:5] {
		fmt.Println(" ", e)
	}
	// Output:
	// add rule ip replies output comment from lan2
	//   payload load 4b @ network header + 16 => reg 1
	//   payload load 2b @ transport header + 2 => reg 9
	//   lookup reg 1 set asked
}
