package transition_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// An orderWorld is a host with some uplinks, to which one thing after another is done.
type orderWorld struct {
	r *rand.Rand
	*world
	now    *host.State
	wanted map[int]uplink.Spec // the last value of each uplink that was installed or tried
	given  map[rule.Rule]bool  // rules of Also with a priority of their own, see placeOf
	log    strings.Builder
	// plain says that nothing asks for a priority, and that only uplinks have rules.
	plain bool
	// refuses says that a call may be refused although there is room. In some sequences of
	// calls for one uplink at a time, the places that are left do not lie together.
	refuses bool
	// cut says that a call with priorities of its own was killed: rules of Also may not have
	// moved behind the rules from sources yet. The next look moves them.
	cut     bool
	refused int
	done    int
}

// mains are priorities of the rule for main.
var mains = []uint32{32766, 32766, 32766, 40000, 20000, 5000, 1767, 1000, 766, 700, 300, 150, 101, 50, 6, 1}

func newOrderWorld(t testing.TB, a, b uint64) *orderWorld {
	o := &orderWorld{r: rand.New(rand.NewPCG(a, b)), wanted: make(map[int]uplink.Spec), given: make(map[rule.Rule]bool)}
	o.world = &world{links: make(map[uint32]string), ours: make(map[rttables.ID]string)}
	n := 1 + o.r.IntN(6)
	if o.r.IntN(40) == 0 {
		n = 250 // more than there are priorities for rungs
	}
	o.plain = o.r.IntN(3) > 0
	for k := range n {
		o.add(t, fmt.Sprintf("link %d u%d\naddr 10.%d.0.2/24 dev u%d\naddr 2001:db8:%x::2/64 dev u%d", 10+k, k+1, k+1, k+1, k+1, k+1))
		if o.r.IntN(3) == 0 {
			o.add(t, fmt.Sprintf("addr 10.%d.0.3/24 dev u%d", k+1, k+1))
		}
	}
	for _, f := range form.Families {
		o.addSystemRules(f)
	}
	o.now = o.state()
	for !o.plain && o.r.IntN(3) > 0 {
		o.addForeign(t)
	}
	return o
}

// addSystemRules adds the rules of the kernel, where administrators and VRFs may put them.
func (o *orderWorld) addSystemRules(f route.Family) {
	local, main := uint32(0), mains[o.r.IntN(len(mains))]
	if o.r.IntN(4) == 0 {
		local, main = 32765, 32766
	}
	add := func(r rule.Rule) {
		r.Family, r.Action, r.Protocol = f, rule.ActionLookup, route.ProtoKernel
		o.rules = append(o.rules, r.Canonical())
	}
	add(rule.Rule{Priority: rule.Priority(local), Table: rttables.Local})
	if o.r.IntN(8) > 0 {
		add(rule.Rule{Priority: rule.Priority(main), Table: rttables.Main})
	}
	if o.r.IntN(5) == 0 {
		add(rule.Rule{Priority: rule.Priority(1000), L3MDev: true})
	}
	slices.SortStableFunc(o.rules, host.ComparePriority)
}

// addForeign adds a rule of another program anywhere.
func (o *orderWorld) addForeign(t testing.TB) {
	texts := []string{
		"from 10.0.0.0/8 lookup 99", "from 10.1.0.2 lookup 99 proto static", "fwmark 0x7 lookup 99", "from all lookup 99",
		"from 10.99.0.1 lookup 99", "from 10.2.0.2 goto %d", "from all nop",
	}
	prio := []int{1 + o.r.IntN(150), 30990 + o.r.IntN(24), 31890 + o.r.IntN(120), 1 + o.r.IntN(32800)}[o.r.IntN(4)]
	text := texts[o.r.IntN(len(texts))]
	if strings.Contains(text, "%d") {
		text = fmt.Sprintf(text, prio+1+o.r.IntN(8))
	}
	r, err := rule.Parse(fmt.Sprintf("%s pref %d", text, prio), nil)
	if err != nil {
		t.Fatal(err)
	}
	o.note("foreign %s", r)
	o.setRules(r.Family, append(slices.Clone(o.now.Rules(r.Family).All), r.Canonical()))
}

func (o *orderWorld) note(format string, args ...any) { fmt.Fprintf(&o.log, format+"\n", args...) }

func (o *orderWorld) setRules(f route.Family, rules []rule.Rule) {
	slices.SortStableFunc(rules, host.ComparePriority)
	o.now = o.now.With(map[route.Family][]rule.Rule{f: rules}, nil)
}

// meddle does what another program may do to the rules that there are.
func (o *orderWorld) meddle(t testing.TB) {
	f := form.Families[o.r.IntN(2)]
	rules := slices.Clone(o.now.Rules(f).All)
	if len(rules) == 0 {
		return
	}
	i := o.r.IntN(len(rules))
	switch r := &rules[i]; {
	case o.r.IntN(3) == 0:
		o.addForeign(t)
		return
	case r.Protocol == route.ProtoKernel && r.Table == rttables.Main:
		r.Priority = rule.Priority(mains[o.r.IntN(len(mains))])
		o.note("main goes to %d", r.Priority.Or(0))
	case r.Protocol == route.ProtoKernel:
		return
	case o.r.IntN(2) == 0:
		o.note("deleted: %s", r)
		rules = slices.Delete(rules, i, i+1)
	default:
		o.note("moved: %s", r)
		given := o.given[placeOf(r)]
		r.Priority = rule.Priority([]uint32{1 + uint32(o.r.IntN(200)), 30900 + uint32(o.r.IntN(1800))}[o.r.IntN(2)])
		o.note("to %d", r.Priority.Or(0))
		if given { // nothing tells it from one that a line puts there
			o.given[placeOf(r)] = true
		}
	}
	o.setRules(f, rules)
}

// spec returns a value of the uplink with a number.
func (o *orderWorld) spec(k int) uplink.Spec {
	one := func(n int) bool { return o.r.IntN(n) == 0 }
	u := uplink.Spec{
		Name: fmt.Sprintf("lan%d", k), Table: rttables.ID(1000 + k), Interface: fmt.Sprintf("u%d", k),
		MainFirst: one(2), Unreachable: one(2),
	}
	six := k%3 == 0
	if u.Gateway = netip.AddrFrom4([4]byte{10, byte(k), 0, 1}); six {
		u.Gateway = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", k))
	}
	if !o.plain && one(6) {
		u.Protocol, u.MainFirst = 211, u.MainFirst || !u.Unreachable // else nothing tells its rules
	}
	if !o.plain && one(4) {
		u.Priority = []uint32{500, 504, 31000, 31002, 31500, 32000, 32100, uint32(1 + o.r.IntN(33000))}[o.r.IntN(8)]
	}
	also := []rule.Rule{
		{FwMark: rule.FwMark(7)}, {IPProto: route.TCP, DPort: rule.Port(25)}, {UIDRange: rule.UIDRange(7, 9)},
		{FwMark: rule.FwMark(9), SuppressPrefixLength: route.Some(uint32(0))},
	}
	if !six {
		also = append(also, rule.Rule{FwMark: rule.FwMark(7), To: netip.MustParsePrefix("198.51.100.0/24")},
			rule.Rule{From: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16, byte(k), 0}), 24)},
			rule.Rule{From: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(k), 0, 0}), 24)},
			rule.Rule{From: netip.MustParsePrefix("10.0.0.0/8")}, rule.Rule{From: netip.MustParsePrefix("172.16.0.0/12")},
			rule.Rule{From: netip.MustParsePrefix("172.20.0.0/16")})
		if one(3) {
			u.SourcePrefixes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(k), 0}), 24)}
		}
	}
	for range o.r.IntN(4) {
		r := also[o.r.IntN(len(also))]
		if !o.plain && one(8) {
			r.Priority = rule.Priority([]uint32{100, 600, 31001, 32050, uint32(1 + o.r.IntN(33000))}[o.r.IntN(5)])
			o.given[placeOf(&r)] = true
		}
		if !slices.Contains(u.Also, r) {
			u.Also = append(u.Also, r)
		}
	}
	return u
}

// some returns the numbers of some uplinks.
func (o *orderWorld) some() []int {
	var all []int
	for k := range o.links {
		all = append(all, int(k)-9)
	}
	slices.Sort(all)
	o.r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+o.r.IntN(len(all))]
}

// short returns what matters of some uplinks.
func short(specs ...uplink.Spec) string {
	var b strings.Builder
	for _, u := range specs {
		fmt.Fprintf(&b, "{%s pref %d proto %d prefixes %v also %v main-first %t unreachable %t} ",
			&u, u.Priority, u.Proto(), u.SourcePrefixes, u.Also, u.MainFirst, u.Unreachable)
	}
	return b.String()
}
