package snapshot_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/snapshot"
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

func take(t *testing.T, c route.Conn) snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Take(t.Context(), c)
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
func TestHidesNothing(t *testing.T) {
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
	s := take(t, m)
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
func TestUnderChanges(t *testing.T) {
	ns := lab.Test(t).NS("server")
	c, other := dialNS(t, ns), dialNS(t, ns)
	const busy = 10 // rules at the beginning, which come and go
	addRules(t, c, 0, many)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	// The changes leave some time in between, by how long a listing takes on this machine.
	var listing atomic.Int64
	listing.Store(int64(time.Millisecond))
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
			time.Sleep(time.Duration(rand.Int64N(20 * listing.Load())))
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
		start := time.Now()
		rules, err := rule.List(t.Context(), c, rule.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		listing.Store(int64(max(time.Since(start), time.Millisecond)))
		if lost(rules) > 0 {
			naive++
		}
		s, err := snapshot.Take(t.Context(), c)
		var unsettled *snapshot.UnsettledError
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
func TestSilentChanges(t *testing.T) {
	for name, change := range map[string]func(n *tabletest.Network){
		"link down": func(n *tabletest.Network) { n.Server.Down("u2") },
		"address":   func(n *tabletest.Network) { n.Server.DelAddr("u2", "10.2.0.2/24") },
		"nexthop object": func(n *tabletest.Network) {
			if err := nexthop.Delete(n.T.Context(), n.Conn, 7); err != nil {
				n.T.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := tabletest.NewNetwork(t)
			u2 := n.Server.Index("u2")
			if _, err := nexthop.Add(t.Context(), n.Conn, nexthop.Object{
				ID: 7, OIF: u2, Gateway: netip.MustParseAddr(tabletest.IPv4.G2),
			}); err != nil {
				t.Fatal(err)
			}
			if err := n.AddRoute("203.0.113.0/24 nhid 7 table 40"); err != nil {
				t.Fatal(err)
			}
			if err := n.AddRoute("203.0.113.0/24 via 10.2.0.1 table 41 src 10.2.0.2"); err != nil {
				t.Fatal(err)
			}
			before := take(t, n.Conn)
			done := false
			m := &meddler{Socket: n.Dial(n.Server), dump: uapi.RTM_GETRULE, after: 1, meddle: func() {
				if !done {
					done = true
					change(n)
				}
			}}
			// Rules are listed last: the routes have been by then.
			got := take(t, m)
			want := take(t, n.Conn)
			if !done || want.Equal(before) {
				t.Fatal("nothing has changed: the test proves nothing")
			}
			tabletest.WantText(t, "what is there afterwards", want.String(), got.String())
		})
	}
}

// What always changes has no snapshot, and the error says what it is.
func TestUnsettled(t *testing.T) {
	ns := lab.Test(t).NS("server")
	c, other := dialNS(t, ns), dialNS(t, ns)
	i := 0
	m := &meddler{Socket: c, dump: uapi.RTM_GETRULE, after: 1, meddle: func() {
		addRules(t, other, i, i+1)
		i++
	}}
	_, err := snapshot.Take(t.Context(), m)
	var unsettled *snapshot.UnsettledError
	if !errors.As(err, &unsettled) || unsettled.Tries != i || !slices.Equal(unsettled.Changed, []string{"rules"}) {
		t.Errorf("after %d changes: %v", i, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := snapshot.Take(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A connection without a socket cannot be watched: two listings have to agree.
func TestWithoutASocket(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Install(n.BothFamilies()...)
	want := take(t, n.Conn)
	rec := &tabletest.Recorder{Conn: n.Conn}
	if got := take(t, rec); !got.Equal(want) {
		t.Errorf("it is not the one of a socket (-want +got):\n%s", tabletest.Diff(want.String(), got.String()))
	}
	if len(rec.Writes) > 0 {
		t.Errorf("a snapshot changes something: %v", rec.Writes)
	}
	i := 0
	rec.Fail = func(_ int, m netlink.Message) error {
		if m.Header.Type == uapi.RTM_GETRULE {
			addRules(t, n.Dial(n.Server), i, i+1)
			i++
		}
		return nil
	}
	var unsettled *snapshot.UnsettledError
	if _, err := snapshot.Take(t.Context(), rec); !errors.As(err, &unsettled) {
		t.Errorf("got %v", err)
	}
}

// A snapshot is of the namespace of its connection, from wherever it is taken.
func TestAnotherNamespace(t *testing.T) {
	n := tabletest.NewNetwork(t)
	want := take(t, n.Conn).String()
	if !strings.Contains(want, "default via 10.1.0.1 dev u1") {
		t.Fatalf("the snapshot is of another namespace:\n%s", want)
	}
	err := n.Net.Do(func() error {
		tabletest.WantText(t, "from there", want, take(t, n.Conn).String())
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
func TestText(t *testing.T) {
	n := tabletest.NewNetwork(t)
	n.Install(n.Uplink2(tabletest.IPv4), n.Uplink2(tabletest.IPv6))
	got := ""
	for line := range strings.Lines(take(t, n.Conn).String()) {
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
	tabletest.WantText(t, "the text", want, got)
}

// The interfaces of a snapshot have their flags.
func TestLinkFlags(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u2 := n.Server.Index("u2")
	if got := take(t, n.Conn).Links.Flags(u2); got&uapi.IFF_UP == 0 || got&uapi.IFF_LOWER_UP == 0 {
		t.Errorf("u2 is up, and has the flags %#x", got)
	}
	n.Server.Down("u2")
	if got := take(t, n.Conn).Links.Flags(u2); got&uapi.IFF_UP != 0 || got == 0 {
		t.Errorf("u2 is down, and has the flags %#x", got)
	}
}
