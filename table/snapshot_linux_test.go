package table_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A meddler is a connection on which others change something while the kernel
// lists: after a number of messages of a dump.
type meddler struct {
	*route.Socket
	dump   netlink.HeaderType // of which listing
	after  int
	meddle func()
}

func (m *meddler) Stream(req netlink.Message) iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		n := 0
		for msg, err := range m.Socket.Stream(req) {
			n++
			if req.Header.Type == m.dump && n == m.after {
				m.meddle()
			}
			if !yield(msg, err) {
				return
			}
		}
	}
}

func takeSnapshot(t *testing.T, c route.Conn) table.Snapshot {
	t.Helper()
	s, err := table.TakeSnapshot(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// many rules are more than the kernel puts into one datagram of a listing.
const many = 2000

func addRules(t *testing.T, c route.Conn, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := rule.Add(t.Context(), c, numbered(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func numbered(i int) rule.Rule {
	return rule.Rule{Priority: rule.Priority(uint32(1000 + i)), FwMark: rule.FwMark(uint32(i + 1)), Table: 20}
}

// Five rules that are deleted while the kernel lists hide five that are still
// there. A listing does not tell; a snapshot has them.
func TestSnapshotHidesNothing(t *testing.T) {
	ns := lab.Test(t).NS("server")
	c, other := dialNS(t, ns), dialNS(t, ns)
	addRules(t, c, 0, many)
	gone := make(map[rule.Rule]bool)
	next := 0
	m := &meddler{Socket: c, dump: uapi.RTM_GETRULE, after: 100}
	m.meddle = func() {
		if next >= 10 {
			return // the two listings have been spoiled
		}
		for range 5 {
			if err := rule.Delete(t.Context(), other, numbered(next)); err != nil {
				t.Error(err)
			}
			gone[numbered(next).Canonical()] = true
			next++
		}
	}
	hidden := func(rules []rule.Rule) (n int) {
		for i := range many {
			if r := numbered(i).Canonical(); !gone[r] && !slices.Contains(rules, r) {
				n++
			}
		}
		return n
	}

	naive, err := rule.List(t.Context(), m, rule.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if n := hidden(naive); n != 5 {
		t.Errorf("a listing hides %d rules, want 5: the test proves nothing", n)
	}
	s := takeSnapshot(t, m)
	if next != 10 {
		t.Errorf("%d rules were deleted, want 5 during the snapshot: the test proves nothing", next)
	}
	if n := hidden(s.Rules); n != 0 {
		t.Errorf("the snapshot hides %d rules", n)
	}
	if want := many - 10 + 5; len(s.Rules) != want { // 3 and 2 are the kernel's
		t.Errorf("%d rules, want %d", len(s.Rules), want)
	}
}

// While another process deletes and adds rules as it likes, those that nobody
// touches are in every snapshot. Listings lose some of them.
func TestSnapshotUnderChanges(t *testing.T) {
	ns := lab.Test(t).NS("server")
	c, other := dialNS(t, ns), dialNS(t, ns)
	const busy = 10 // rules at the beginning, which come and go
	addRules(t, c, 0, many)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			for i := range busy {
				if err := rule.Delete(t.Context(), other, numbered(i)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
			for i := range busy {
				if err := rule.Add(t.Context(), other, numbered(i)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Duration(rand.IntN(20000)) * time.Microsecond)
		}
	})
	defer wg.Wait()
	defer cancel()
	lost := func(rules []rule.Rule) int {
		n := many - busy
		for _, r := range rules {
			if p := r.Priority.Or(0); p >= 1000+busy && p < 1000+many {
				n--
			}
		}
		return n
	}
	naive, taken := 0, 0
	for range 100 {
		rules, err := rule.List(t.Context(), c, rule.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if lost(rules) > 0 {
			naive++
		}
		s, err := table.TakeSnapshot(t.Context(), c)
		var unsettled *table.UnsettledError
		if errors.As(err, &unsettled) {
			continue // which is no lie
		}
		if err != nil {
			t.Fatal(err)
		}
		taken++
		if n := lost(s.Rules); n != 0 {
			t.Errorf("a snapshot has lost %d rules", n)
		}
	}
	t.Logf("%d of 100 listings have lost rules, and none of %d snapshots", naive, taken)
	if taken < 50 {
		t.Errorf("only %d of 100 snapshots were taken", taken)
	}
}

// Routes go without an event when their interface goes down, their address or
// their nexthop object. The snapshot is as it is afterwards.
func TestSnapshotSilentChanges(t *testing.T) {
	for name, change := range map[string]func(n *network){
		"link down": func(n *network) { n.server.Down("u2") },
		"address":   func(n *network) { n.server.DelAddr("u2", "10.2.0.2/24") },
		"nexthop object": func(n *network) {
			if err := nexthop.Delete(n.t.Context(), n.c, 7); err != nil {
				n.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			u2 := n.server.Index("u2")
			if _, err := nexthop.Add(t.Context(), n.c, nexthop.Object{
				ID: 7, OIF: u2, Gateway: netip.MustParseAddr(ip4.g2),
			}); err != nil {
				t.Fatal(err)
			}
			if err := n.addRoute("203.0.113.0/24 nhid 7 table 40"); err != nil {
				t.Fatal(err)
			}
			if err := n.addRoute("203.0.113.0/24 via 10.2.0.1 table 41 src 10.2.0.2"); err != nil {
				t.Fatal(err)
			}
			before := takeSnapshot(t, n.c)
			done := false
			m := &meddler{Socket: n.dial(n.server), dump: uapi.RTM_GETRULE, after: 1, meddle: func() {
				if !done {
					done = true
					change(n)
				}
			}}
			// Rules are listed last: the routes have been by then.
			got := takeSnapshot(t, m)
			want := takeSnapshot(t, n.c)
			if !done || want.Equal(before) {
				t.Fatal("nothing has changed: the test proves nothing")
			}
			if diff := cmp.Diff(want.String(), got.String()); diff != "" {
				t.Errorf("(-afterwards +got):\n%s", diff)
			}
		})
	}
}

// What always changes has no snapshot, and the error says what it is.
func TestSnapshotUnsettled(t *testing.T) {
	ns := lab.Test(t).NS("server")
	c, other := dialNS(t, ns), dialNS(t, ns)
	i := 0
	m := &meddler{Socket: c, dump: uapi.RTM_GETRULE, after: 1, meddle: func() {
		addRules(t, other, i, i+1)
		i++
	}}
	_, err := table.TakeSnapshot(t.Context(), m)
	var unsettled *table.UnsettledError
	if !errors.As(err, &unsettled) || unsettled.Tries != i || !slices.Equal(unsettled.Changed, []string{"rules"}) {
		t.Errorf("after %d changes: %v", i, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := table.TakeSnapshot(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A connection without a socket cannot be watched: two listings have to agree.
func TestSnapshotWithoutASocket(t *testing.T) {
	n := newNetwork(t)
	n.install(n.both()...)
	want := takeSnapshot(t, n.c)
	rec := &recorder{c: n.c}
	if got := takeSnapshot(t, rec); !got.Equal(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(rec.writes) > 0 {
		t.Errorf("a snapshot changes something: %v", rec.writes)
	}
	i := 0
	rec.fail = func(_ int, m netlink.Message) error {
		if m.Header.Type == uapi.RTM_GETRULE {
			addRules(t, n.dial(n.server), i, i+1)
			i++
		}
		return nil
	}
	var unsettled *table.UnsettledError
	if _, err := table.TakeSnapshot(t.Context(), rec); !errors.As(err, &unsettled) {
		t.Errorf("got %v", err)
	}
}

// A snapshot is of the namespace of its connection, from wherever it is taken.
func TestSnapshotOfAnotherNamespace(t *testing.T) {
	n := newNetwork(t)
	want := takeSnapshot(t, n.c).String()
	if !strings.Contains(want, "default via 10.1.0.1 dev u1") {
		t.Fatalf("the snapshot is of another namespace:\n%s", want)
	}
	err := n.net.Do(func() error {
		if got := takeSnapshot(t, n.c).String(); got != want {
			return fmt.Errorf("from there (-want +got):\n%s", cmp.Diff(want, got))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func dialNS(t *testing.T, ns *lab.NS) *route.Socket {
	t.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// The text of a server with one uplink, as an administrator sees it.
func TestSnapshotText(t *testing.T) {
	n := newNetwork(t)
	n.install(n.uplink2(ip4), n.uplink2(ip6))
	got := ""
	for line := range strings.Lines(takeSnapshot(t, n.c).String()) {
		if !strings.HasPrefix(line, "# ") {
			got += line
		}
	}
	want := `ip route add default via 10.1.0.1 dev u1 proto unspec
ip route add 10.2.0.0/24 dev u2 table 20 proto 210 src 10.2.0.2
ip route add default via 10.2.0.1 dev u2 table 20 proto 210 src 10.2.0.2
ip -6 route add default via 2001:db8:1::1 dev u1 metric 1024
ip -6 route add 2001:db8:2::/64 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
ip -6 route add default via 2001:db8:2::1 dev u2 table 20 proto 210 src 2001:db8:2::2 metric 1024
ip rule add from 10.2.0.2 lookup 20 proto 210 pref 31000
ip -6 rule add from 2001:db8:2::2 lookup 20 proto 210 pref 31000
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
