package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// A scripted network is one where a script has made tables and rules for both uplinks,
// in the words of ip(8).
type scriptedNetwork struct {
	*tabletest.Network
	f tabletest.Family
}

// script does what a script does. The first word of a line is route or rule.
func (n *scriptedNetwork) script(lines ...string) {
	n.T.Helper()
	words := strings.NewReplacer("A1", n.f.A1, "A2", n.f.A2, "G1", n.f.G1, "G2", n.f.G2,
		"NET1", subnet(n.f.A1), "NET2", subnet(n.f.A2),
		"u1", fmt.Sprint("if", n.Server.Index("u1")), "u2", fmt.Sprint("if", n.Server.Index("u2")))
	for _, line := range lines {
		object, rest, _ := strings.Cut(words.Replace(line), " ")
		add := map[string]func(string) error{"route": n.AddRoute, "rule": n.AddRule}[object]
		if n.f == tabletest.IPv6 && object == "rule" && strings.HasPrefix(rest, "fwmark") {
			rest = "-6 " + rest
		}
		if err := add(rest); err != nil {
			n.T.Fatalf("%s: %v", line, err)
		}
	}
}

// subnet returns the subnet of an address of the network.
func subnet(a string) string {
	if i := strings.LastIndex(a, ":"); i >= 0 {
		return a[:i+1] + "/64"
	}
	return a[:strings.LastIndex(a, ".")] + ".0/24"
}

// tutorial is what rc.local has in many tutorials, here run twice.
var tutorial = []string{
	"route NET1 dev u1 table 10", "route default via G1 dev u1 table 10", "rule from A1 table 10",
	"route NET2 dev u2 table 20", "route default via G2 dev u2 table 20", "rule from A2 table 20",
	"rule from A1 table 10", "rule from A2 table 20",
}

func (n *scriptedNetwork) uplinks() []table.SourceRoutedUplink {
	return []table.SourceRoutedUplink{n.Uplink1(n.f), n.Uplink2(n.f)}
}

// forScripts runs a test for each family.
func forScripts(t *testing.T, test func(t *testing.T, n *scriptedNetwork)) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		network.AddLAN()
		test(t, &scriptedNetwork{network, f})
	})
}

// Adopt takes the place of a script's rules and routes, and no packet notices any step. A
// second Adopt changes nothing, and neither does Install.
func TestAdopt(t *testing.T) {
	forScripts(t, func(t *testing.T, n *scriptedNetwork) {
		before := n.Kernel()
		n.script(tutorial...)
		look := func() string { return n.Matrix(n.f, n.f.A1, n.f.A2) }
		old := look()
		w := &tabletest.Watcher{Socket: n.Conn, Look: look}
		if err := table.Adopt(t.Context(), w, n.uplinks()...); err != nil {
			t.Fatal(err)
		}
		if len(w.States) < 10 {
			t.Errorf("only %d requests: the test proves nothing", len(w.States))
		}
		for i, now := range w.States {
			tabletest.WantText(t, fmt.Sprintf("where packets go after request %d, %s", i+1, w.Names[i]), old, now)
		}
		for _, id := range []string{"10", "20"} {
			for line := range strings.Lines(n.Kernel()) {
				if strings.Contains(line, "table "+id) || strings.Contains(line, "lookup "+id) {
					if !strings.Contains(line, "proto 210") {
						t.Errorf("not ours: %s", line)
					}
				}
			}
		}
		rec := &tabletest.Recorder{Conn: n.Conn}
		for _, again := range []func(context.Context, route.Conn, ...table.SourceRoutedUplink) error{table.Adopt, table.Install} {
			if err := again(t.Context(), rec, n.uplinks()...); err != nil || len(rec.Writes) > 0 {
				t.Errorf("the same again: %d requests that change something, error %v", len(rec.Writes), err)
			}
		}
		n.Remove(n.uplinks()...)
		n.WantKernel("Remove", before)
	})
}

// A name that an administrator wrote is used, and is not ours.
func TestAdoptName(t *testing.T) {
	n := &scriptedNetwork{tabletest.NewNetwork(t), tabletest.IPv4}
	text := tabletest.RTTables + "20 lan2\n"
	n.WriteRTTables(text)
	before := n.Snapshot()
	n.script(tutorial[3:6]...)
	u := n.Uplink2(n.f)
	u.Table = 0
	if err := table.Adopt(t.Context(), n.Conn, u); err != nil {
		t.Fatal(err)
	}
	n.WantTable("Adopt", 20, `rule 31000: from 10.2.0.2 lookup 20 proto 210
route 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
route default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2
`)
	n.Remove(u)
	n.WantSnapshot("Remove", before)
}

// After a failure at any request all is as the script left it.
func TestAdoptFailAtEveryRequest(t *testing.T) {
	forScripts(t, func(t *testing.T, n *scriptedNetwork) {
		n.script(tutorial...)
		n.script("rule fwmark 2 table 20", "rule from A2 lookup main suppress_prefixlength 0 pref 100")
		uplinks := n.uplinks()
		uplinks[1].Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		uplinks[1].Unreachable = true
		before := n.Snapshot()
		for j, fault := range faults {
			if !tabletest.Full() && j%3 != map[bool]int{true: 0, false: 2}[n.f == tabletest.IPv4] {
				continue
			}
			undone := 0
			for k := 1; ; k++ {
				ctx, cancel := context.WithCancel(t.Context())
				rec := &tabletest.Recorder{Conn: n.Conn, Done: fault.done}
				rec.Fail = func(seen int, _ netlink.Message) error {
					if seen != k {
						return nil
					}
					if fault.err == nil {
						cancel()
					}
					return fault.err
				}
				err := table.Adopt(ctx, rec, uplinks...)
				cancel()
				if err == nil {
					break
				}
				var step *plan.StepError
				if errors.As(err, &step) {
					undone++
				}
				n.WantSnapshot(fmt.Sprintf("%s of request %d: %v", fault.name, k, err), before)
				if t.Failed() {
					t.FailNow()
				}
			}
			if undone < 4 {
				t.Errorf("%s: only %d requests that failed were changes", fault.name, undone)
			}
			n.WantNothingToDo(uplinks...)
			n.Remove(uplinks...)
			n.script(tutorial...)
			n.script("rule fwmark 2 table 20", "rule from A2 lookup main suppress_prefixlength 0 pref 100")
			before = n.Snapshot()
		}
	})
}

// After a kill at any request, packets go as before. Recover does not change that, and
// the next Adopt gets to where the first would have.
func TestAdoptKill(t *testing.T) {
	n := &scriptedNetwork{tabletest.NewNetwork(t), tabletest.IPv6}
	n.AddLAN()
	uplinks := n.uplinks()
	uplinks[1].MainFirst = true
	look := func() string { return n.Matrix(n.f, n.f.A1, n.f.A2) }
	empty := n.Kernel()
	n.script(tutorial...)
	old := look()
	if err := table.Adopt(t.Context(), n.Conn, uplinks...); err != nil {
		t.Fatal(err)
	}
	want, adopted := look(), n.Kernel()
	for k := 1; ; k += tabletest.Times(1, 3) {
		n.Remove(uplinks...)
		n.WantKernel("Remove", empty)
		n.script(tutorial...)
		if !killed(n.Network, tabletest.Job{Adopt: uplinks, KillAt: k}) {
			if k < 10 {
				t.Errorf("only %d requests", k)
			}
			break
		}
		at := fmt.Sprintf("killed after request %d", k)
		now := look()
		tabletest.WantEither(t, at+": where packets go", old, want, now)
		if k%2 == 0 {
			if err := table.Recover(t.Context(), n.Conn); err != nil {
				t.Fatal(err)
			}
			tabletest.WantText(t, at+": Recover changes where packets go", now, look())
		}
		if err := table.Adopt(t.Context(), n.Conn, uplinks...); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		n.WantKernel(at+": the next Adopt", adopted)
	}
}

// While Adopt takes over, no packet leaves by the other uplink, and none is refused. In
// some ten thousand replacements of a route the kernel does not find the route for one
// packet: a full run has that many.
func TestFloodAdopt(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, network *tabletest.Network, f tabletest.Family) {
		n := newFloodNetwork(network, f)
		s := &scriptedNetwork{network, f}
		astray := 0
		for range tabletest.Times(200, 6) {
			s.script(tutorial...)
			c := n.under(f, 1, f.Client, func(int) {
				if err := table.Adopt(t.Context(), n.Conn, s.uplinks()...); err != nil {
					t.Fatal(err)
				}
			})
			if astray += c.g1; c.lan+c.failed > 0 || c.g2 == 0 {
				t.Errorf("%+v", c)
			}
			n.Remove(s.uplinks()...)
		}
		if astray > tabletest.Times(1, 0) {
			t.Errorf("%d packets left by the other uplink", astray)
		}
	})
}

// A rule of a routing daemon, and a route of a DHCP client, are refused with the name of
// their owner. Nothing is changed.
func TestAdoptRunningProgram(t *testing.T) {
	for owner, lines := range map[string][]string{
		"bird": {"route default via G2 dev u2 table 20", "rule from A2 table 20 proto bird"},
		"dhcp": {"route default via G2 dev u2 table 20 proto dhcp", "rule from A2 table 20"},
	} {
		t.Run(owner, func(t *testing.T) {
			n := &scriptedNetwork{tabletest.NewNetwork(t), tabletest.IPv4}
			n.script(lines...)
			before := n.Snapshot()
			err := table.Adopt(t.Context(), n.Conn, n.Uplink2(n.f))
			var conflict *plan.ConflictError
			if !errors.As(err, &conflict) || conflict.Owner.String() != owner || !strings.Contains(err.Error(), owner+" would install its r") {
				t.Errorf("got %v", err)
			}
			n.WantSnapshot("the refusal", before)
		})
	}
}
