package maintain_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// An exchange is uplinks by u2, u3 and so on, each with the address of its interface. The
// default route of table main is by u1. Packets leave from all of these addresses.
type exchange struct {
	t       *testing.T
	n       *tabletest.Network
	k       *keeper
	f       tabletest.Family
	uplinks []table.SourceRoutedUplink
	wires   []wire
}

// A wire is an interface with the name that it has at the beginning, its address, and the
// tap of its router.
type wire struct {
	name, addr string
	tap        *lab.Tap
}

// newExchange returns an exchange with a number of uplinks.
func newExchange(t *testing.T, n *tabletest.Network, f tabletest.Family, count int) *exchange {
	t.Helper()
	x := &exchange{t: t, n: n, f: f}
	swallow(t, n, f)
	bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
	for i := range count {
		i += 2
		ofWire := func(addr string) string {
			return strings.NewReplacer("10.2.", fmt.Sprintf("10.%d.", i), "db8:2:", fmt.Sprintf("db8:%d:", i)).Replace(addr)
		}
		w := wire{fmt.Sprintf("u%d", i), ofWire(f.A2), n.G2}
		if i > 2 {
			far := fmt.Sprintf("g%d", i)
			n.Server.Link(w.name, n.Net, far)
			n.Server.Addr(w.name, w.addr+bits)
			n.Net.Addr(far, ofWire(f.G2)+bits)
			w.tap = n.Net.Tap(far)
		}
		u := n.Uplink2(f)
		u.Name, u.Table, u.Interface, u.Gateway = fmt.Sprintf("lan%d", i), rttables.ID(10*i), w.name, netip.MustParseAddr(ofWire(f.G2))
		u.Unreachable, u.Also = true, []rule.Rule{{OIF: w.name}}
		x.uplinks, x.wires = append(x.uplinks, u), append(x.wires, w)
	}
	x.k = newKeeper(n, maintain.Config{}, maintained(x.uplinks...)...)
	x.k.settles(x.uplinks...)
	return x
}

// text returns the rules and routes of the uplinks, with the indexes of interfaces.
func (x *exchange) text() string {
	x.t.Helper()
	var b strings.Builder
	for r, err := range rule.All(context.Background(), x.n.Conn, rule.Filter{Protocol: table.Protocol}) {
		if err != nil {
			x.t.Fatal(err)
		}
		fmt.Fprintln(&b, r)
	}
	for r, err := range route.All(context.Background(), x.n.Conn, route.Filter{Protocol: table.Protocol}) {
		if err != nil {
			x.t.Fatal(err)
		}
		fmt.Fprintln(&b, r.Canonical().Text(nil))
	}
	return b.String()
}

// send sends packets from all addresses, until stop is called. Stop returns those that left by
// another wire than their own, in words, and how many left by their own.
func (x *exchange) send() (stop func() (astray string, right int)) {
	x.t.Helper()
	x.n.G1.Reset()
	var stops []func() (sent, refused int)
	for _, w := range x.wires {
		w.tap.Reset()
		stops = append(stops, sendFrom(x.n, x.f, w.addr))
	}
	return func() (string, int) {
		x.t.Helper()
		var b strings.Builder
		right := 0
		for i, w := range x.wires {
			sent, refused := stops[i]()
			for _, at := range append([]wire{{name: "u1", tap: x.n.G1}}, x.wires...) {
				got := at.tap.Count(func(p lab.Packet) bool {
					return !p.Out && p.Src.Addr() == netip.MustParseAddr(w.addr) && p.Proto == 17
				})
				if at.name == w.name {
					right += got
				} else if got > 0 {
					fmt.Fprintf(&b, "of %d packets from %s, and %d that were refused, %d left by %s\n", sent, w.addr, refused, got, at.name)
				}
			}
		}
		return b.String(), right
	}
}

// rotate gives the name of each interface to the one before it, and that of the first one to
// the last one, which has another name meanwhile. Run looks after each step, and all rules
// and routes stay. If that takes so long that Run may have given up waiting, ok is false.
func (x *exchange) rotate() (right int, ok bool) {
	x.t.Helper()
	last, before := len(x.wires)-1, x.text()
	stop := x.send()
	at := len(x.k.log())
	step := func(from, to string) {
		x.t.Helper()
		x.n.Server.Rename(from, to)
		at = x.k.await(at, "about "+from, func(e maintain.Event) bool {
			return e.Kind == maintain.EventPending && strings.Contains(e.Reason, "the interface "+from+" does not exist")
		})
	}
	begin := time.Now()
	step(x.wires[last].name, "x")
	for i := last; i > 0; i-- {
		step(x.wires[i-1].name, x.wires[i].name)
	}
	astray, right := stop()
	after := x.text()
	x.n.Server.Rename("x", x.wires[0].name)
	if time.Since(begin) > maintain.ExchangeWithin {
		return right, false
	}
	tabletest.WantText(x.t, "in the middle of an exchange of names", before, after)
	if astray != "" {
		x.t.Errorf("in the middle of an exchange of names:\n%s%s", astray, x.k.text())
	}
	return right, true
}

// untilFollowed waits until each uplink has rules for the address of the interface that has
// its name, and no others, after the interfaces were rotated some times.
func (x *exchange) untilFollowed(rotations int) {
	x.t.Helper()
	x.k.until("the rules follow the interfaces", func() bool {
		for i, w := range x.wires {
			for j, u := range x.uplinks {
				has := strings.Contains(x.n.Table(u.Table), "from "+w.addr+" ")
				if has != (j == (i+rotations)%len(x.wires)) {
					return false
				}
			}
		}
		return true
	})
}

// Interfaces exchange their names until each has its own again, and Run looks after each
// step. In the middle of an exchange nothing changes, and packets leave by their own wires.
// After it, each uplink has the address of the interface that has its name, and no packet
// leaves by the interface that had the name before.
func TestExchangedNames(t *testing.T) {
	for _, count := range []int{2, 3} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
				x := newExchange(t, n, f, count)
				for tries, ok := 1, false; !ok; tries++ {
					if tries > 20 {
						t.Fatal("the machine is so slow that Run cannot wait for the end of an exchange")
					}
					ok = x.exchangeAll()
				}
			})
		})
	}
}

// exchangeAll rotates the names until each interface has its own again. If that takes too
// long, ok is false.
func (x *exchange) exchangeAll() (ok bool) {
	x.t.Helper()
	ok = true
	for i := range x.wires {
		right, inTime := x.rotate()
		if ok = ok && inTime; i == 0 && right == 0 {
			x.t.Error("no packet left by its own wire: the test proves nothing")
		}
		x.untilFollowed(i + 1)
		if i == len(x.wires)-1 {
			break
		}
		stop := x.send()
		time.Sleep(20 * time.Millisecond)
		if astray, _ := stop(); astray != "" {
			x.t.Errorf("after an exchange of names:\n%s%s", astray, x.k.text())
		}
	}
	x.k.settles(x.uplinks...)
	return ok
}

// If an interface that has the name of another one stays, and the name of its own is not
// taken, the uplink goes on with that interface.
func TestNamesNotExchanged(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		x := newExchange(t, n, f, 2)
		n.Server.Rename("u2", "x")
		n.Server.Rename("u3", "u2")
		x.k.until("the uplink has the address of the other interface", func() bool {
			ours := n.Table(20)
			return strings.Contains(ours, "from "+x.wires[1].addr+" ") && !strings.Contains(ours, "from "+x.wires[0].addr+" ")
		})
		n.Server.Rename("x", "u3")
		x.untilFollowed(1)
	})
}

// Run begins in the middle of an exchange of names, and changes nothing either. Routes tell
// which interfaces had the names.
func TestBeginsInExchange(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		x := newExchange(t, n, f, 2)
		before := x.text()
		for tries := 1; ; tries++ {
			x.k.stop()
			n.Server.Rename("u2", "x")
			n.Server.Rename("u3", "u2")
			begin := time.Now()
			x.k = newKeeper(n, maintain.Config{}, maintained(x.uplinks...)...)
			after := x.text()
			inTime := time.Since(begin) < maintain.ExchangeWithin
			n.Server.Rename("u2", "u3")
			n.Server.Rename("x", "u2")
			if inTime {
				tabletest.WantText(t, "after a start in the middle of an exchange of names", before, after)
				return
			}
			if tries == 20 {
				t.Fatal("the machine is so slow that Run cannot wait for the end of an exchange")
			}
			x.k.settles(x.uplinks...)
			before = x.text()
		}
	})
}

// Run begins while the interface of an uplink has another name, and no route tells that it was
// the uplink's. The rules that an earlier process has left stay, and refuse packets.
func TestBeginsRenamed(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		x := newExchange(t, n, f, 2)
		x.k.stop()
		lan3 := x.uplinks[1]
		rules := func() string {
			var b strings.Builder
			for r, err := range rule.All(context.Background(), n.Conn, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				if r.From.IsValid() && r.From.Addr().String() == x.wires[1].addr {
					fmt.Fprintln(&b, r)
				}
			}
			return b.String()
		}
		before := rules()
		n.Server.Rename("u3", "other")
		if _, err := route.Flush(context.Background(), n.Conn, route.Filter{Table: lan3.Table}); err != nil {
			t.Fatal(err)
		}
		stop := x.send()
		x.k = newKeeper(n, maintain.Config{}, maintained(x.uplinks...)...)
		x.k.await(0, "lan3 waits", func(e maintain.Event) bool {
			return e.Kind == maintain.EventPending && strings.Contains(e.Reason, "the interface u3 does not exist")
		})
		if astray, _ := stop(); astray != "" {
			t.Errorf("while u3 has another name:\n%s%s", astray, x.k.text())
		}
		tabletest.WantText(t, "while u3 has another name", before, rules())
		n.Server.Rename("other", "u3")
		x.k.settles(x.uplinks...)
	})
}

// Two interfaces exchange their addresses before Run looks: each uplink wants a source that the
// other one still has rules for.
func TestExchangedAddresses(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		x := newExchange(t, n, f, 2)
		x.k.stop()
		x.k = newKeeper(n, maintain.Config{Settle: 300 * time.Millisecond}, maintained(x.uplinks...)...)
		bits := map[tabletest.Family]string{tabletest.IPv4: "/24", tabletest.IPv6: "/64"}[f]
		first, second := x.wires[0].addr+bits, x.wires[1].addr+bits
		exchange := func(a, b string) {
			n.Server.DelAddr("u2", a)
			n.Server.DelAddr("u3", b)
			n.Server.Addr("u2", b)
			n.Server.Addr("u3", a)
		}
		exchange(first, second)
		x.untilFollowed(1)
		exchange(second, first)
		x.untilFollowed(0)
		x.k.settles(x.uplinks...)
	})
}
