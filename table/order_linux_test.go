package table_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// An orderHost is a server with several uplinks, to which one thing after another is done.
type orderHost struct {
	t        *testing.T
	r        *rand.Rand
	conn     *route.Socket
	etc      string
	wanted   map[int]table.SourceRoutedUplink
	log      strings.Builder
	done     int
	refused  int
	compared int
}

const orderUplinks = 5

func newOrderHost(t *testing.T) *orderHost {
	t.Helper()
	l := lab.Test(t)
	ns, peer := l.NS("server"), l.NS("net")
	for k := 1; k <= orderUplinks; k++ {
		dev := fmt.Sprintf("u%d", k)
		ns.Link(dev, peer, "to-"+dev)
		ns.Addr(dev, fmt.Sprintf("10.%d.0.2/24", k), fmt.Sprintf("10.%d.0.3/24", k), fmt.Sprintf("2001:db8:%d::2/64", k))
	}
	h := &orderHost{t: t, etc: t.TempDir(), wanted: make(map[int]table.SourceRoutedUplink)}
	var err error
	if h.conn, err = route.Dial(ns.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.conn.Close() })
	for _, gateway := range []string{"10.1.0.1", "2001:db8:1::1"} {
		h.must(route.Add(t.Context(), h.conn, route.Route{Gateway: netip.MustParseAddr(gateway)}))
	}
	return h
}

func (h *orderHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, &h.log)
	}
}

func (h *orderHost) note(format string, args ...any) { fmt.Fprintf(&h.log, format+"\n", args...) }

// reset deletes everything that a sequence has left, and puts main somewhere.
func (h *orderHost) reset(seed uint64) {
	h.t.Helper()
	h.r = rand.New(rand.NewPCG(5, seed))
	h.log.Reset()
	clear(h.wanted)
	ctx := h.t.Context()
	h.must(table.SyncIn(ctx, h.conn, h.etc))
	for _, r := range h.rules() {
		if r.Protocol != route.ProtoKernel {
			h.must(rule.Delete(ctx, h.conn, r))
		}
	}
	h.moveMain(32766)
	if h.r.IntN(2) == 0 {
		h.moveMain([]uint32{20000, 1767, 766, 400, 150}[h.r.IntN(5)])
	}
}

// rules returns all rules in the kernel's order, those of IPv4 first.
func (h *orderHost) rules() []rule.Rule {
	h.t.Helper()
	var all []rule.Rule
	for _, f := range []route.Family{route.IPv4, route.IPv6} {
		for r, err := range rule.All(h.t.Context(), h.conn, rule.Filter{Family: f}) {
			h.must(err)
			all = append(all, r)
		}
	}
	return all
}

// moveMain gives the rules for main another priority.
func (h *orderHost) moveMain(prio uint32) {
	h.t.Helper()
	for _, r := range h.rules() {
		if r.Protocol != route.ProtoKernel || r.Table != rttables.Main || r.Priority == rule.Priority(prio) {
			continue
		}
		moved := r
		moved.Priority = rule.Priority(prio)
		h.must(rule.Add(h.t.Context(), h.conn, moved))
		h.must(rule.Delete(h.t.Context(), h.conn, r))
		h.note("main from %d to %d", r.Priority.Or(0), prio)
	}
}

// uplink returns a value of the uplink with a number.
func (h *orderHost) uplink(k int) table.SourceRoutedUplink {
	one := func(n int) bool { return h.r.IntN(n) == 0 }
	u := table.SourceRoutedUplink{
		Name: fmt.Sprintf("lan%d", k), Table: rttables.ID(1000 + k), Interface: fmt.Sprintf("u%d", k), Etc: h.etc,
		Gateway: netip.MustParseAddr(fmt.Sprintf("10.%d.0.1", k)), MainFirst: one(2), Unreachable: one(2),
	}
	if k%3 == 0 {
		u.Gateway = netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::1", k))
	} else if one(3) {
		u.SourcePrefixes = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("172.20.%d.0/24", k))}
	}
	if one(5) {
		u.Priority = []uint32{100, 500, 31000, 31002, 32100}[h.r.IntN(5)]
	}
	for _, r := range []rule.Rule{
		{FwMark: rule.FwMark(7)}, {IPProto: route.TCP, DPort: rule.Port(25)}, {UIDRange: rule.UID(0)},
	} {
		if one(2) {
			u.Also = append(u.Also, r)
		}
	}
	return u
}

// some returns values of some uplinks, and notes that they are wanted.
func (h *orderHost) some() (all []table.SourceRoutedUplink) {
	for _, i := range h.r.Perm(orderUplinks)[:1+h.r.IntN(orderUplinks)] {
		k := i + 1
		if _, ok := h.wanted[k]; !ok || h.r.IntN(2) == 0 {
			h.wanted[k] = h.uplink(k)
		}
		all = append(all, h.wanted[k])
	}
	return all
}

// do does something that may be refused, or that a kill may end.
func (h *orderHost) do(what string, do func(route.Conn) error) {
	h.t.Helper()
	h.note("%s", what)
	var conn route.Conn = h.conn
	killed := h.r.IntN(12) == 0
	if killed {
		left := h.r.IntN(20)
		conn = &tabletest.Recorder{Conn: h.conn, Fail: func(_ int, m netlink.Message) error {
			if tabletest.IsChange(m) {
				left--
			}
			if left < 0 {
				return tabletest.ErrInjected
			}
			return nil
		}}
	}
	before := h.wrong()
	err := do(conn)
	var field *plan.FieldError
	var conflict *plan.ConflictError
	switch {
	case err == nil:
		h.done++
	case errors.As(err, &field), errors.As(err, &conflict):
		h.refused++
		h.note("refused: %v", err)
	case killed:
		h.note("killed: %v", err)
		h.must(table.Recover(h.t.Context(), h.conn))
		return // there may be old rules of Also of the same uplink before new rules from its sources
	default:
		h.t.Fatalf("%v\n%s", err, &h.log)
	}
	for _, text := range h.wrong() {
		if !slices.Contains(before, text) {
			h.t.Fatalf("%s\n%s", text, &h.log)
		}
	}
	h.askKernel()
}

// wrong returns the rules of uplinks that take packets of any source and come before one from
// a source.
func (h *orderHost) wrong() []string {
	h.t.Helper()
	var all []string
	var takers []*rule.Rule
	rules := h.rules()
	isMain := false // the rule for main was there: those behind it decide about nothing
	for i := range rules {
		r := &rules[i]
		if i > 0 && rules[i-1].Family != r.Family {
			takers, isMain = nil, false
		}
		isMain = isMain || r.Protocol == route.ProtoKernel && r.Table == rttables.Main
		switch {
		case isMain, r.Protocol != table.Protocol || r.Goto != 0 || r.Action == rule.ActionNop:
		case r.FwMark.IsSet() || r.DPort.IsSet() || r.UIDRange.IsSet():
			takers = append(takers, r)
		default:
			for _, taker := range takers {
				all = append(all, fmt.Sprintf("%s comes before %s", taker, r))
			}
		}
	}
	return all
}

// askKernel asks the kernel where packets from each source go that has rules: by the uplink
// of that source, with any mark and to any port.
func (h *orderHost) askKernel() {
	h.t.Helper()
	isMain := false
	for _, r := range h.rules() {
		isMain = r.Priority.Or(0) > 0 && (isMain || r.Protocol == route.ProtoKernel && r.Table == rttables.Main)
		if isMain || r.Protocol != table.Protocol || !r.From.IsSingleIP() || r.Action != rule.ActionLookup || r.Table < 1000 ||
			r.SuppressPrefixLength.IsSet() {
			continue
		}
		dst := netip.MustParseAddr("198.51.100.10")
		if r.Family == route.IPv6 {
			dst = netip.MustParseAddr("2001:db8:99::10")
		}
		for _, q := range []route.Query{
			{}, {Mark: 7}, {IPProto: route.TCP, DPort: 25}, {UID: route.Some(uint32(8))}, {Mark: 7, UID: route.Some(uint32(7))},
		} {
			q.Src, q.Dst, q.FibMatch = r.From.Addr(), dst, true
			found, err := route.Lookup(h.t.Context(), h.conn, q)
			h.must(err)
			if h.compared++; found.Table != r.Table {
				h.t.Fatalf("a packet %+v goes by table %d, and not %d\n%s\n%v", q, found.Table, r.Table, &h.log, h.rules())
			}
		}
	}
}

// look installs each wanted uplink by itself, as maintain does.
func (h *orderHost) look() {
	for range 2 {
		for k := range orderUplinks {
			if u, ok := h.wanted[k+1]; ok {
				h.do(fmt.Sprintf("look at %s", u), func(c route.Conn) error { return u.Install(h.t.Context(), c) })
			}
		}
	}
}

// meddle does what another program may do to rules, which takes no packets of uplinks.
func (h *orderHost) meddle() {
	h.t.Helper()
	ctx := h.t.Context()
	if h.r.IntN(2) == 0 {
		text := []string{"from 10.99.0.1 lookup 99", "fwmark 0x77 lookup 99", "nop", "from 10.98.0.0/16 unreachable"}[h.r.IntN(4)]
		prio := []int{1 + h.r.IntN(200), 30990 + h.r.IntN(30), 31890 + h.r.IntN(200)}[h.r.IntN(3)]
		r, err := rule.Parse(fmt.Sprintf("%s pref %d", text, prio), nil)
		h.must(err)
		h.note("foreign %s", r)
		if err := rule.Add(ctx, h.conn, r); err != nil && !errors.Is(err, fs.ErrExist) {
			h.must(err)
		}
		return
	}
	h.moveMain([]uint32{32766, 25000, 32000, 500}[h.r.IntN(4)])
}

func describeUplinks(all []table.SourceRoutedUplink) string {
	var b strings.Builder
	for _, u := range all {
		fmt.Fprintf(&b, "{%s pref %d also %v prefixes %v main-first %t unreachable %t} ",
			u, u.Priority, u.Also, u.SourcePrefixes, u.MainFirst, u.Unreachable)
	}
	return b.String()
}

// TestRandomOrderInKernel does random sequences of installations, removals, looks, kills and
// foreign changes in the kernel. Rules from sources come before rules of Also after each of
// them, and the kernel sends packets of each source by its uplink. With -full there are more.
func TestRandomOrderInKernel(t *testing.T) {
	h := newOrderHost(t)
	ctx := t.Context()
	for seed := range tabletest.Times(400, 25) {
		h.reset(uint64(seed))
		for range 3 + h.r.IntN(6) {
			switch h.r.IntN(8) {
			case 0:
				h.meddle()
				h.look()
			case 1:
				all := h.some()
				for _, u := range all {
					delete(h.wanted, int(u.Table)-1000)
				}
				h.do("remove "+describeUplinks(all), func(c route.Conn) error { return table.Remove(ctx, c, all...) })
			case 2:
				clear(h.wanted)
				all := h.some()
				h.do("sync "+describeUplinks(all), func(c route.Conn) error { return table.Sync(ctx, c, all...) })
			case 3:
				h.do("recover", func(c route.Conn) error { return table.Recover(ctx, c) })
			case 4, 5:
				all := h.some()
				h.do("install together "+describeUplinks(all), func(c route.Conn) error { return table.Install(ctx, c, all...) })
			default:
				for _, u := range h.some() {
					h.do("install "+describeUplinks([]table.SourceRoutedUplink{u}), func(c route.Conn) error { return u.Install(ctx, c) })
				}
			}
		}
		h.look()
	}
	t.Logf("%d operations, %d refused, %d packets", h.done, h.refused, h.compared)
	if h.done < 200 || h.compared < 5000 {
		t.Errorf("only %d operations and %d packets", h.done, h.compared)
	}
}
