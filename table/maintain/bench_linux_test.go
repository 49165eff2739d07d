package maintain

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
)

// BenchmarkRepair measures a look that repairs one uplink, which has lost a route, beside
// uplinks that need nothing. The time grows with the number of the others, and not with
// its square.
func BenchmarkRepair(b *testing.B) {
	for _, healthy := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprint(healthy), func(b *testing.B) { benchmarkRepair(b, healthy) })
	}
}

func benchmarkRepair(b *testing.B, healthy int) {
	l := lab.Test(b)
	server, net := l.NS("server"), l.NS("net")
	server.Link("u1", net, "g1")
	var all []Uplink
	var installed []table.SourceRoutedUplink
	gateway := netip.MustParseAddr("10.1.255.254")
	addr := netip.MustParseAddr("10.1.0.1")
	for i := range healthy + 1 {
		server.Addr("u1", addr.String()+"/16")
		u := table.SourceRoutedUplink{
			Name: fmt.Sprint("uplink", i), Table: rttables.ID(1000 + i), Interface: "u1", Gateway: gateway,
			Sources: []netip.Addr{addr}, Etc: b.TempDir(),
		}
		if i > 0 {
			u.Etc = installed[0].Etc
		}
		installed = append(installed, u)
		all = append(all, Uplink{SourceRoutedUplink: u, Weight: 1})
		addr = addr.Next()
	}
	if err := os.WriteFile(installed[0].Etc+"/rt_tables", nil, 0o644); err != nil {
		b.Fatal(err)
	}
	foreign, err := route.Dial(server.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer foreign.Close()
	if err := table.Install(b.Context(), foreign, installed...); err != nil {
		b.Fatal(err)
	}
	m := newMaintainer(func() (route.Conn, error) { return route.Dial(server.Config()) }, Config{Rate: 1e9}.withDefaults())
	m.declare(Update{Uplinks: all, Default: &Default{Table: 77}})
	if err := m.open(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() { m.stop() }()
	m.look(b.Context())
	repairs := m.counters.Repairs.Load()
	broken := route.Route{Gateway: gateway, Table: installed[healthy/2].Table}
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		b.StopTimer()
		if err := route.Delete(b.Context(), foreign, broken); err != nil {
			b.Fatal(err)
		}
		n++
		b.StartTimer()
		for m.agenda.isEmpty() {
			m.collect(b.Context())
		}
		m.look(b.Context())
	}
	if got := m.counters.Repairs.Load() - repairs; got != n {
		b.Errorf("%d repairs in %d looks", got, n)
	}
}
