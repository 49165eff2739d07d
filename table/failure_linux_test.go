package table_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A recorder notes the requests that change something, and can fail them.
type recorder struct {
	c      route.Conn
	writes []netlink.HeaderType
	seen   int // requests of any kind
	fail   func(n int, m netlink.Message) error
	sent   func(m netlink.Message) // is called with those that change something
}

func (r *recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	r.seen++
	if m.Header.Type&3 != 2 { // not RTM_GET…
		r.writes = append(r.writes, m.Header.Type)
		if r.sent != nil {
			r.sent(m)
		}
	}
	if r.fail != nil {
		if err := r.fail(r.seen, m); err != nil {
			return nil, err
		}
	}
	return r.c.Execute(m)
}

var _ route.Conn = (*recorder)(nil)

var errInjected = errors.New("injected")

// After a failure at any request the state is byte for byte what it was. The
// kernel is the real one; the request that fails does not reach it.
func TestFailAtEveryRequest(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(n *network) // makes the state before
		do      func(ctx context.Context, n *network, c route.Conn) error
	}{
		"install": {
			func(*network) {},
			func(ctx context.Context, n *network, c route.Conn) error {
				return table.Install(ctx, c, n.both()...)
			},
		},
		"update": {
			func(n *network) { n.install(n.both()...) },
			func(ctx context.Context, n *network, c route.Conn) error {
				uplinks := n.both()
				uplinks[0].Gateway = netip.MustParseAddr("10.2.0.9")
				uplinks[0].Also = []rule.Rule{{FwMark: rule.FwMark(3)}}
				uplinks[1].Gateway = netip.MustParseAddr("2001:db8:2::9")
				uplinks[1].Metric = 5
				return table.Install(ctx, c, uplinks...)
			},
		},
		"remove": {
			func(n *network) { n.install(n.both()...) },
			func(ctx context.Context, n *network, c route.Conn) error {
				return table.Remove(ctx, c, n.both()...)
			},
		},
	} {
		t.Run(name, func(t *testing.T) { failAtEveryRequest(t, test.prepare, test.do) })
	}
}

func (n *network) both() []table.SourceRoutedUplink {
	u4, u6 := n.uplink2(ip4), n.uplink2(ip6)
	u4.Also = []rule.Rule{{FwMark: rule.FwMark(2)}, {IPProto: route.TCP, DPort: rule.Port(25)}}
	u6.Also = u4.Also
	return []table.SourceRoutedUplink{u4, u6}
}

func failAtEveryRequest(t *testing.T, prepare func(*network), do func(context.Context, *network, route.Conn) error) {
	n := newNetwork(t)
	prepare(n)
	before := n.snapshot()
	k, writes := 1, 0
	for ; ; k++ {
		rec := &recorder{c: n.c, fail: func(seen int, m netlink.Message) error {
			if seen == k {
				return errInjected
			}
			return nil
		}}
		err := do(t.Context(), n, rec)
		if err == nil {
			break
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("request %d: %v", k, err)
		}
		var step *table.StepError
		if errors.As(err, &step) {
			writes++
			if len(step.Left) > 0 || step.Uplink != "lan2" || step.Step.Op == 0 {
				t.Errorf("request %d: %v", k, err)
			}
		}
		n.unchanged(err.Error(), before)
	}
	if writes < 6 {
		t.Errorf("only %d of %d requests changed something", writes, k)
	}
	if n.snapshot() == before {
		t.Error("without a failure nothing was changed: the test proves nothing")
	}
	t.Logf("%d requests, %d of them changes", k-1, writes)
}

// A context that ends in the middle undoes what was done.
func TestCancelAtEveryRequest(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	for k := 1; ; k++ {
		ctx, cancel := context.WithCancel(t.Context())
		rec := &recorder{c: n.c, fail: func(seen int, _ netlink.Message) error {
			if seen == k {
				cancel()
			}
			return nil
		}}
		err := table.Install(ctx, rec, n.both()...)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("request %d: %v", k, err)
		}
		n.unchanged(err.Error(), before)
	}
}

// When the undo fails as well, the error says what is left, and the next
// Install or Remove deals with it.
func TestUndoFails(t *testing.T) {
	n := newNetwork(t)
	before := n.snapshot()
	u := n.both()[0]
	// Of two routes and three rules, the fourth fails, and all after it.
	rec := &recorder{c: n.c}
	rec.fail = func(int, netlink.Message) error {
		if len(rec.writes) >= 4 {
			return errInjected
		}
		return nil
	}
	err := u.Install(t.Context(), rec)
	var step *table.StepError
	if !errors.As(err, &step) {
		t.Fatalf("got %v, want a *StepError", err)
	}
	want := `table: uplink lan2: ip rule add from all fwmark 0x2 lookup lan2 proto 210 pref 32000: injected` +
		`; not undone: ip rule add from 10.2.0.2 lookup lan2 proto 210 pref 31000: injected` +
		`; not undone: ip route add default via 10.2.0.1 dev u2 table lan2 proto 210 src 10.2.0.2: injected` +
		`; not undone: ip route add 10.2.0.0/24 dev u2 table lan2 proto 210 src 10.2.0.2: injected`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("the error (-want +got):\n%s", diff)
	}
	n.install(u)
	n.remove(u)
	n.unchanged("Install and Remove", before)
}
