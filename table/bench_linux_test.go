package table_test

import (
	"net/netip"
	"os"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// BenchmarkInstallRemove installs an uplink and removes it again.
func BenchmarkInstallRemove(b *testing.B) {
	l := lab.Test(b)
	server, net := l.NS("server"), l.NS("net")
	server.Link("u1", net, "g1")
	server.Addr("u1", "10.1.0.2/24")
	c, err := route.Dial(server.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	u := table.SourceRoutedUplink{Table: 20, Interface: "u1", Gateway: netip.MustParseAddr("10.1.0.1"), Etc: os.DevNull}
	b.ReportAllocs()
	for b.Loop() {
		if err := u.Install(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		if err := u.Remove(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}
