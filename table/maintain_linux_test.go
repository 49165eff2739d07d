package table_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A keeper is Maintain at work in a test.
type keeper struct {
	n        *network
	counters table.Counters
	cancel   context.CancelFunc
	done     chan error

	mu     sync.Mutex
	events []table.Event
}

// patience is how long a test waits for what should take milliseconds. The times
// that are promised are measured, and are those of the best of several tries.
const patience = 20 * time.Second

// maintain keeps uplinks until the test ends, or stop is called.
func (n *network) maintain(config table.MaintainConfig, uplinks ...table.MaintainedUplink) *keeper {
	n.t.Helper()
	k := &keeper{n: n, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	config.Counters = &k.counters
	config.Event = func(e table.Event) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.events = append(k.events, e)
	}
	dial := func() (route.Conn, error) { return route.Dial(n.server.Config()) }
	go func() { k.done <- table.Maintain(ctx, dial, &config, uplinks...) }()
	n.t.Cleanup(func() { k.stop() })
	k.await(0, "ready", func(e table.Event) bool { return e.Kind == table.EventReady })
	return k
}

// stop ends Maintain.
func (k *keeper) stop() {
	k.n.t.Helper()
	if k.cancel == nil {
		return
	}
	k.cancel()
	k.cancel = nil
	select {
	case err := <-k.done:
		if err != nil {
			k.n.t.Errorf("Maintain: %v", err)
		}
	case <-time.After(patience):
		k.n.t.Error("Maintain does not return")
	}
}

// log is the events so far.
func (k *keeper) log() []table.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.events)
}

// await waits for an event, the from-th or a later one, and returns how many there
// are up to it.
func (k *keeper) await(from int, what string, match func(table.Event) bool) int {
	k.n.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		events := k.log()
		for i := from; i < len(events); i++ {
			if match(events[i]) {
				return i + 1
			}
		}
		if time.Now().After(end) {
			k.n.t.Fatalf("there is no event %s:\n%s", what, k.text())
		}
	}
}

func (k *keeper) awaitKind(from int, kind table.EventKind) int {
	k.n.t.Helper()
	return k.await(from, kind.String(), func(e table.Event) bool { return e.Kind == kind })
}

// text is the events as a log.
func (k *keeper) text() string {
	var b strings.Builder
	for _, e := range k.log() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// until waits until ok, and says how long it took.
func (k *keeper) until(what string, ok func() bool) time.Duration {
	k.n.t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > patience {
			k.n.t.Fatalf("%s: not within %v\n%s\n%s", what, patience, k.text(), k.n.kernel())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}

// within tries something several times: the best of them has to be in time. One
// in time shows what Maintain can do; the others show what else the machine does.
func (k *keeper) within(limit time.Duration, what string, try func() time.Duration) {
	k.n.t.Helper()
	var all []time.Duration
	for range 10 {
		d := try()
		all = append(all, d.Round(time.Millisecond))
		if len(all) >= 3 && slices.Min(all) <= limit {
			k.n.t.Logf("%s: %v", what, all)
			return
		}
	}
	k.n.t.Errorf("%s: %v, want one within %v\n%s", what, all, limit, k.text())
}

// of is an uplink as Maintain takes it.
func maintained(uplinks ...table.SourceRoutedUplink) []table.MaintainedUplink {
	var all []table.MaintainedUplink
	for _, u := range uplinks {
		all = append(all, table.MaintainedUplink{SourceRoutedUplink: u})
	}
	return all
}

// The link goes down and comes up: while it is down nothing leaves by the other
// uplink, and then the table is whole again.
func TestMaintainLink(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.server.Sysctl("net.ipv6.conf.u2.keep_addr_on_down", "1")
		u := n.uplink2(f)
		u.Unreachable = true
		k := n.maintain(table.MaintainConfig{}, maintained(u)...)
		whole := n.ours(20)
		if !strings.Contains(whole, "route default") {
			t.Fatalf("not installed:\n%s", whole)
		}
		swallow(t, n, f)
		k.within(100*time.Millisecond, "link up", func() time.Duration {
			n.g1.Reset()
			n.g2.Reset()
			stop := n.send(f)
			time.Sleep(20 * time.Millisecond)
			n.server.Down("u2")
			time.Sleep(300 * time.Millisecond)
			n.server.Up("u2")
			d := k.until("the table is whole", func() bool { return n.ours(20) == whole })
			time.Sleep(20 * time.Millisecond)
			sent, refused := stop()
			g1, g2 := n.fromUDP(f.a2)
			if g1 > 0 || g2 == 0 || refused == 0 {
				t.Errorf("%d sent, %d refused: %d at g1, %d at g2", sent, refused, g1, g2)
			}
			return d
		})
		events := k.text()
		for _, want := range []string{"pending: the interface u2 is down", "installed"} {
			if !strings.Contains(events, want) {
				t.Errorf("no event says %q:\n%s", want, events)
			}
		}
		// Without Maintain, and without a last rung, packets leave by g1.
		k.stop()
		u.Unreachable = false
		n.install(u)
		n.g1.Reset()
		stop := n.send(f)
		n.server.Down("u2")
		time.Sleep(50 * time.Millisecond)
		n.server.Up("u2")
		time.Sleep(200 * time.Millisecond)
		stop()
		if g1, _ := n.fromUDP(f.a2); g1 == 0 {
			t.Error("the control does not leak: the test proves nothing")
		}
		if f == ip4 && strings.Contains(n.ours(20), "route") {
			t.Errorf("the control still has routes:\n%s", n.ours(20))
		}
	})
}

// swallow takes what is sent to the client's port 9.
func swallow(t *testing.T, n *network, f family) {
	t.Helper()
	if _, err := n.net.ListenPacket("udp", net.JoinHostPort(f.client, "9")); err != nil {
		t.Fatal(err)
	}
}

// send sends datagrams from the second uplink's address to the client, one each
// millisecond, until it is stopped. It says how many were sent and refused.
func (n *network) send(f family) (stop func() (sent, refused int)) {
	n.t.Helper()
	pc, err := n.server.ListenPacket("udp", net.JoinHostPort(f.a2, "0"))
	if err != nil {
		n.t.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	sent, refused := 0, 0
	dst := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(f.client), 9))
	go func() {
		defer close(done)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			if _, err := pc.WriteTo([]byte("x"), dst); err != nil {
				refused++
			} else {
				sent++
			}
		}
	}()
	return func() (int, int) {
		close(end)
		<-done
		pc.Close()
		return sent, refused
	}
}

// fromUDP counts the datagrams from a source at each router.
func (n *network) fromUDP(src string) (byG1, byG2 int) {
	a := netip.MustParseAddr(src)
	match := func(p lab.Packet) bool { return !p.Out && p.Src.Addr() == a && p.Proto == 17 }
	return n.g1.Count(match), n.g2.Count(match)
}

// The kernel takes the IPv6 address away with the link. When it is back, so are
// routes and rules, once duplicate address detection is over.
func TestMaintainAddressIsBack(t *testing.T) {
	n := newNetwork(t)
	u := n.uplink2(ip6)
	u.Unreachable = true
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	whole := n.ours(20)
	n.server.Down("u2")
	k.await(0, "pending: down", func(e table.Event) bool { return strings.Contains(e.String(), "is down") })
	n.server.Up("u2")
	k.await(0, "pending: no address", func(e table.Event) bool {
		return e.Kind == table.EventPending && strings.Contains(e.Reason, "no global IPv6 address")
	})
	if rules := n.ours(20); !strings.Contains(rules, "rule 31000: from "+ip6.a2) {
		t.Errorf("the rule did not wait for the address:\n%s", rules)
	}
	n.server.Addr("u2", ip6.a2+"/64")
	k.until("the uplink is back", func() bool { return n.ours(20) == whole })

	// A tentative address is waited for as well.
	n.server.DelAddr("u2", ip6.a2+"/64")
	from := k.awaitKind(len(k.log()), table.EventPending)
	n.server.Sysctl("net.ipv6.conf.u2.accept_dad", "1")
	n.server.Sysctl("net.ipv6.conf.u2.dad_transmits", "1")
	n.addTentative("u2", ip6.a2)
	k.awaitKind(from, table.EventInstalled)
	if got := n.ours(20); got != whole {
		t.Errorf("after duplicate address detection:\n%s\nwant\n%s", got, whole)
	}
	// The control: nobody brings them back.
	k.stop()
	n.server.Down("u2")
	n.server.Up("u2")
	n.server.Addr("u2", ip6.a2+"/64")
	time.Sleep(300 * time.Millisecond)
	if got := n.ours(20); strings.Contains(got, "route default") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

// The address changes. The new one goes by the uplink at once, and nothing
// mentions the old one any more.
func TestMaintainRenumber(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		bits := map[family]string{ip4: "/24", ip6: "/64"}[f]
		next := strings.TrimSuffix(f.a2, "2") + "7"
		k := n.maintain(table.MaintainConfig{}, maintained(n.uplink2(f))...)
		serve(t, n.net, f.tcp, net.JoinHostPort(f.client, "80"))
		addrs := []string{f.a2, next}
		k.within(100*time.Millisecond, "renumbered", func() time.Duration {
			slices.Reverse(addrs)
			n.server.DelAddr("u2", addrs[1]+bits)
			n.server.Addr("u2", addrs[0]+bits)
			d := k.until("the new address has the uplink", func() bool {
				ours := n.ours(20)
				return !strings.Contains(ours, addrs[1]+" ") && strings.Contains(ours, "from "+addrs[0]+" ") &&
					strings.Contains(ours, "route default via "+f.g2+" dev u2 table 20 proto 210 src "+addrs[0])
			})
			if all := n.kernel(); strings.Contains(all, addrs[1]+" ") || strings.Contains(all, addrs[1]+"\n") {
				t.Errorf("%s is still mentioned:\n%s", addrs[1], all)
			}
			n.g1.Reset()
			n.g2.Reset()
			connect(t, n.server, f.tcp, addrs[0], net.JoinHostPort(f.client, "80"))
			n.wantBy(addrs[0], 2)
			return d
		})
		// The control: the new address leaves by g1.
		k.stop()
		slices.Reverse(addrs)
		n.server.DelAddr("u2", addrs[1]+bits)
		n.server.Addr("u2", addrs[0]+bits)
		n.g1.Reset()
		n.g2.Reset()
		connect(t, n.server, f.tcp, addrs[0], net.JoinHostPort(f.client, "80"))
		n.wantBy(addrs[0], 1)
	})
}

// The primary address goes, and takes the secondary one along.
func TestMaintainPrimaryGoes(t *testing.T) {
	n := newNetwork(t)
	n.server.Sysctl("net.ipv4.conf.u2.promote_secondaries", "0")
	n.server.Sysctl("net.ipv4.conf.all.promote_secondaries", "0")
	n.server.Addr("u2", "10.2.0.3/24")
	u := n.uplink2(ip4)
	u.Unreachable = true
	k := n.maintain(table.MaintainConfig{}, maintained(u)...)
	before := n.ours(20)
	swallow(t, n, ip4)
	n.g1.Reset()
	stop := n.send(ip4)
	n.server.DelAddr("u2", "10.2.0.2/24")
	k.awaitKind(0, table.EventPending)
	if got := n.ours(20); strings.Contains(got, "route default") || !strings.Contains(got, "from 10.2.0.3") {
		t.Errorf("the secondary address did not go along, or its rule is gone:\n%s", got)
	}
	n.server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	k.until("both addresses have the uplink", func() bool { return n.ours(20) == before })
	time.Sleep(10 * time.Millisecond)
	sent, refused := stop()
	if g1, g2 := n.fromUDP(ip4.a2); g1 > 0 || g2 == 0 || refused == 0 {
		t.Errorf("%d sent, %d refused: %d at g1, %d at g2", sent, refused, g1, g2)
	}
	// The control: without Maintain the routes do not come back.
	k.stop()
	n.server.DelAddr("u2", "10.2.0.2/24")
	n.server.Addr("u2", "10.2.0.2/24", "10.2.0.3/24")
	time.Sleep(300 * time.Millisecond)
	if got := n.ours(20); strings.Contains(got, "route") {
		t.Errorf("the control: who brought it back?\n%s", got)
	}
}

// Someone deletes a rule, a route, the table, everything: it is back.
func TestMaintainDeleted(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := n.uplink2(f)
		u.MainFirst, u.Unreachable = true, true
		u.Also = []rule.Rule{{FwMark: rule.FwMark(2)}}
		k := n.maintain(table.MaintainConfig{Rate: 100}, maintained(u)...)
		whole := n.ours(20)
		foreign := n.dial(n.server)
		rules := func() (all []rule.Rule) {
			for r, err := range rule.All(t.Context(), foreign, rule.Filter{Protocol: table.Protocol}) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, r)
			}
			return all
		}
		want := rules()
		flushRoutes := func() {
			if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20}); err != nil {
				t.Fatal(err)
			}
		}
		for name, harm := range map[string]func(){
			"a rule": func() {
				if err := rule.Delete(t.Context(), foreign, want[0]); err != nil {
					t.Fatal(err)
				}
			},
			"a route": func() {
				for r, err := range route.All(t.Context(), foreign, route.Filter{Table: 20}) {
					if err != nil {
						t.Fatal(err)
					}
					if r.Gateway.IsValid() {
						if err := route.Delete(t.Context(), foreign, r); err != nil {
							t.Fatal(err)
						}
						return
					}
				}
			},
			"the table": flushRoutes,
			"everything": func() {
				for _, r := range want {
					if err := rule.Delete(t.Context(), foreign, r); err != nil {
						t.Fatal(err)
					}
				}
				flushRoutes()
			},
		} {
			k.within(300*time.Millisecond, name+" is back", func() time.Duration {
				k.until("quiet", func() bool { return n.ours(20) == whole })
				harm()
				if n.counts(20) == strings.Count(whole, "\n") && len(rules()) == len(want) {
					return 0 // so fast was it
				}
				return k.until(name+" is back", func() bool { return n.ours(20) == whole && slices.Equal(rules(), want) })
			})
		}
		// The control: without Maintain nothing comes back.
		k.stop()
		flushRoutes()
		time.Sleep(400 * time.Millisecond)
		if got := n.ours(20); strings.Contains(got, "route") {
			t.Errorf("the control: who brought it back?\n%s", got)
		}
	})
}

// counts is how many rules and routes a table has.
func (n *network) counts(id rttables.ID) int { return strings.Count(n.ours(id), "\n") }

// Someone deletes a hundred times a second: repairs are bounded, and reported.
func TestMaintainFight(t *testing.T) {
	n := newNetwork(t)
	k := n.maintain(table.MaintainConfig{Rate: 2}, maintained(n.uplink2(ip4))...)
	foreign := n.dial(n.server)
	whole := n.ours(20)
	begin := time.Now()
	deleted := 0
	for time.Since(begin) < 5*time.Second {
		for r, err := range rule.All(t.Context(), foreign, rule.Filter{Table: 20}) {
			if err == nil && rule.Delete(t.Context(), foreign, r) == nil {
				deleted++
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	repairs := k.counters.Repairs.Load()
	// What was saved up, and what there is a second; one for the installation.
	if most := uint64(2*10 + 2*time.Since(begin).Seconds() + 2); repairs > most || deleted < 20 {
		t.Errorf("%d repairs of %d deletions, want at most %d", repairs, deleted, most)
	}
	fights := 0
	for _, e := range k.log() {
		if e.Kind == table.EventFighting {
			fights++
			if e.Port == 0 || !strings.Contains(e.Reason, "keeps undoing it") {
				t.Errorf("it does not say whom it fights: %s", e)
			}
		}
	}
	if fights != 1 || k.counters.Fights.Load() != 1 || k.counters.Postponed.Load() == 0 {
		t.Errorf("%d reports of a fight\n%s", fights, k.text())
	}
	// The fight ends.
	k.until("the uplink is whole", func() bool { return n.ours(20) == whole })
	k.awaitKind(0, table.EventCalm)
}

// So many changes of others that the kernel drops events.
func TestMaintainLostEvents(t *testing.T) {
	n := newNetwork(t)
	k := n.maintain(table.MaintainConfig{ReceiveBuffer: 4096, Rate: 100}, maintained(n.uplink2(ip4))...)
	whole := n.ours(20)
	foreign := n.dial(n.server)
	count := times(50000, 10000)
	var batch []rule.Rule
	for i := range count / 2 {
		a := netip.AddrFrom4([4]byte{100, 64, byte(i >> 8), byte(i)})
		batch = append(batch, rule.Rule{From: netip.PrefixFrom(a, 32), Table: 77, Priority: rule.Pref(20000)})
		if len(batch) < 250 && i < count/2-1 {
			continue
		}
		for _, r := range batch {
			if err := rule.Add(t.Context(), foreign, r); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range batch {
			if err := rule.Delete(t.Context(), foreign, r); err != nil {
				t.Fatal(err)
			}
		}
		batch = batch[:0]
		if i%1000 < 250 {
			if _, err := route.Flush(t.Context(), foreign, route.Filter{Table: 20}); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.awaitKind(0, table.EventLost)
	k.until("the uplink is whole", func() bool { return n.ours(20) == whole })
	if k.counters.Lost.Load() == 0 {
		t.Error("lost events are not counted")
	}
}

// A link that is down at the start: the uplink is pending, and complete once the
// link comes up.
func TestMaintainPending(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		n.server.Down("u2")
		u := n.uplink2(f)
		if err := u.Install(t.Context(), n.c); err == nil {
			t.Error("the control: Install succeeds")
		}
		k := n.maintain(table.MaintainConfig{}, maintained(u)...)
		k.await(0, "pending", func(e table.Event) bool { return e.Kind == table.EventPending && e.Uplink == "lan2" })
		n.server.Up("u2")
		if f == ip6 {
			n.server.Addr("u2", f.a2+"/64")
		}
		k.awaitKind(0, table.EventInstalled)
		n.wantPlan("after it came up", "\n", u)
		// One whose interface does not exist yet.
		missing := n.uplink1(f)
		missing.Name, missing.Table, missing.Interface, missing.Gateway = "late", 30, "u9", netip.MustParseAddr("10.9.0.1")
		k.stop()
		k = n.maintain(table.MaintainConfig{}, maintained(u, missing)...)
		from := k.await(0, "pending", func(e table.Event) bool { return strings.Contains(e.String(), "no interface u9") })
		n.server.Link("u9", n.net, "g9")
		n.server.Addr("u9", "10.9.0.2/24")
		k.await(from, "installed", func(e table.Event) bool { return e.Kind == table.EventInstalled && e.Uplink == "late" })
	})
}

// A gateway is learned from table main, and followed.
func TestMaintainLearn(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		u := table.MaintainedUplink{SourceRoutedUplink: n.uplink2(f), Learn: route.FamilyOf(netip.MustParseAddr(f.a2))}
		u.Gateway = netip.Addr{}
		k := n.maintain(table.MaintainConfig{}, u)
		k.await(0, "pending", func(e table.Event) bool { return strings.Contains(e.Reason, "to learn the gateway from") })
		lease := route.Route{Gateway: netip.MustParseAddr(f.g2), Priority: 2000, Protocol: route.ProtoDHCP}
		if err := route.Add(t.Context(), n.c, lease); err != nil {
			t.Fatal(err)
		}
		has := func(gateway string) func() bool {
			return func() bool { return strings.Contains(n.ours(20), "route default via "+gateway+" dev u2") }
		}
		k.until("the gateway is learned", has(f.g2))
		other := lease
		other.Gateway = netip.MustParseAddr(f.g2 + "0")
		if err := route.Replace(t.Context(), n.c, other); err != nil {
			t.Fatal(err)
		}
		k.until("the gateway is followed", has(f.g2+"0"))
		if err := route.Delete(t.Context(), n.c, other); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if !has(f.g2 + "0")() {
			t.Errorf("the gateway went with the lease:\n%s", n.ours(20))
		}
		// A new process finds it where it is installed.
		k.stop()
		if got, err := u.Resolve(t.Context(), n.c); err != nil || got.Gateway != other.Gateway {
			t.Errorf("the gateway that is installed: %v, %v", got.Gateway, err)
		}
		n.remove(n.uplink2(f))
		if _, err := u.Resolve(t.Context(), n.c); err == nil {
			t.Error("a gateway was learned from nothing")
		}
	})
}

// Update changes what differs and removes what is gone. At the end everything goes
// if it is asked for, and nothing that Maintain has opened or begun is left.
func TestMaintainUpdateAndEnd(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	goroutines := runtime.NumGoroutine()
	update := make(chan []table.MaintainedUplink)
	k := n.maintain(table.MaintainConfig{Remove: true, Update: update},
		maintained(n.uplink1(ip4), n.uplink2(ip4), n.uplink2(ip6))...)
	changed := n.uplink2(ip4)
	changed.MainFirst = true
	from := len(k.log())
	update <- maintained(changed)
	k.awaitKind(from, table.EventReady)
	n.wantPlan("update", "\n", changed)
	if got := n.ours(10); got != "" {
		t.Errorf("an uplink that is gone is not removed:\n%s", got)
	}
	if got := n.ours(20); strings.Contains(got, "2001:db8") {
		t.Errorf("a family that is gone is not removed:\n%s", got)
	}
	// What cannot be is refused.
	from = len(k.log())
	update <- maintained(table.SourceRoutedUplink{Name: "x"})
	k.awaitKind(from, table.EventFailed)
	n.wantPlan("a refused update", "\n", changed)
	k.stop()
	n.unchanged("the end", before)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// Without Remove they stay.
	k = n.maintain(table.MaintainConfig{}, maintained(changed)...)
	k.stop()
	n.wantPlan("the end without Remove", "\n", changed)
}

// What cannot be is refused at once.
func TestMaintainRefuses(t *testing.T) {
	n := newNetwork(t)
	u := n.uplink2(ip4)
	for name, uplinks := range map[string][]table.MaintainedUplink{
		"Interface": maintained(table.SourceRoutedUplink{}),
		"Name":      maintained(u, u),
		"Table":     maintained(u, func() table.SourceRoutedUplink { o := n.uplink1(ip4); o.Table = u.Table; return o }()),
		"Sources":   maintained(u, func() table.SourceRoutedUplink { o := u; o.Name, o.Table = "x", 9; return o }()),
		"Learn":     {{SourceRoutedUplink: u, Learn: route.IPv4}},
	} {
		err := table.Maintain(t.Context(), nil, nil, uplinks...)
		if e, ok := err.(*table.FieldError); !ok || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
