package transition_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/draft"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

// manyWorld returns a host with many interfaces.
func manyWorld(t testing.TB, n int) *orderWorld {
	o := &orderWorld{r: rand.New(rand.NewPCG(1, 1)), wanted: make(map[int]uplink.Spec), given: make(map[rule.Rule]bool)}
	o.world = &world{links: make(map[uint32]string), ours: make(map[rttables.ID]string)}
	for k := 1; k <= n; k++ {
		o.add(t, fmt.Sprintf("link %d u%d\naddr 10.%d.%d.2/24 dev u%d", 9+k, k, k/200, k%200, k))
	}
	o.add(t, "ip rule add from all lookup local pref 0 proto kernel\nip rule add from all lookup main pref 32766 proto kernel")
	o.now = o.state()
	return o
}

// TestManyUplinks installs more uplinks than there are priorities for their rungs, one by one:
// they share priorities, and all rules from sources come before all of Also. Each stays where
// it is when all are installed again.
func TestManyUplinks(t *testing.T) {
	const n = 300
	o := manyWorld(t, n)
	var specs []uplink.Spec
	do := func(what string, p plan.Plan, err error) {
		t.Helper()
		k := newKernel(o.now)
		for i := 0; i < len(p.Steps) && err == nil; i++ {
			err = k.do(&p.Steps[i])
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		o.now = o.after(k.state(o.now), p)
	}
	for k := 1; k <= n; k++ {
		u := uplink.Spec{
			Name: fmt.Sprintf("lan%d", k), Table: rttables.ID(1000 + k), Interface: fmt.Sprintf("u%d", k),
			Gateway: netip.AddrFrom4([4]byte{10, byte(k / 200), byte(k % 200), 1}), MainFirst: true, Unreachable: true,
		}
		if k%3 == 0 {
			u.Also = []rule.Rule{{FwMark: rule.FwMark(uint32(k))}}
		}
		if k%10 == 0 {
			u.SourcePrefixes = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 20, byte(k / 10), 0}), 24)}
		}
		specs = append(specs, u)
		p, err := draft.Install(t.Context(), nil, o.now, []uplink.Spec{u}, uplink.Options{})
		do("install "+u.Name, p, err)
	}
	faults := append(o.wrong(), o.astray()...)
	last := uint32(0) // of the rungs
	at := make(map[uint32]int)
	for _, r := range o.ours(route.IPv4) {
		if form.IsRung(&r) {
			last = max(last, r.Priority.Or(0))
			at[r.Priority.Or(0)]++
		}
	}
	if len(faults) > 0 || last >= 31900 || len(at) > 900 {
		t.Errorf("the rungs have %d priorities, the last one is %d; %d faults: %.3q", len(at), last, len(faults), faults)
	}
	p, err := draft.Install(t.Context(), nil, o.now, specs, uplink.Options{})
	if err != nil || !p.Empty() {
		t.Errorf("all again: %v, %d steps", err, len(p.Steps))
	}
	for k := range specs { // each changes, where it shares priorities or where others share its own
		if k%7 == 0 {
			specs[k].MainFirst = false
			p, err := draft.Install(t.Context(), nil, o.now, specs[k:k+1], uplink.Options{})
			do("change "+specs[k].Name, p, err)
		}
	}
	p, err = draft.Remove(t.Context(), nil, o.now, specs[:200])
	do("remove 200", p, err)
	if faults := append(o.wrong(), o.astray()...); len(faults) > 0 {
		t.Errorf("%d faults in the end: %.3q", len(faults), faults)
	}
}

// TestManyRulesOfAlso installs uplinks with so many rules of Also that there is no more room.
// That is refused with the reason, and with an advice that helps: if a call has all uplinks, it
// does not advise to install all together.
func TestManyRulesOfAlso(t *testing.T) {
	o := manyWorld(t, 40)
	var all []uplink.Spec
	for k := 1; ; k++ {
		u := uplink.Spec{
			Name: fmt.Sprintf("lan%d", k), Table: rttables.ID(1000 + k), Interface: fmt.Sprintf("u%d", k),
			Gateway: netip.AddrFrom4([4]byte{10, 0, byte(k), 1}), MainFirst: true,
		}
		for i := range 25 {
			u.Also = append(u.Also, rule.Rule{FwMark: rule.FwMark(uint32(100*k + i))})
		}
		all = append(all, u)
		p, err := draft.Install(t.Context(), nil, o.now, []uplink.Spec{u}, uplink.Options{})
		if err != nil {
			if field := noRoom(err); field == nil || field.Field != "Also" || !strings.Contains(field.Reason, "together") || k < 17 {
				t.Errorf("uplink %d: %v", k, err)
			}
			break
		}
		kernel := newKernel(o.now)
		for i := range p.Steps {
			if err := kernel.do(&p.Steps[i]); err != nil {
				t.Fatal(err)
			}
		}
		o.now = o.after(kernel.state(o.now), p)
		if again, err := draft.Install(t.Context(), nil, o.now, []uplink.Spec{u}, uplink.Options{}); err != nil || !again.Empty() {
			t.Fatalf("uplink %d again: %v, %d steps", k, err, len(again.Steps))
		}
	}
	if faults := o.wrong(); len(faults) > 0 {
		t.Errorf("%d faults: %.3q", len(faults), faults)
	}
	for i := range all {
		all[i].Also = slices.Concat(all[i].Also, all[i].Also)
		for k := range all[i].Also {
			all[i].Also[k].FwMark = rule.FwMark(uint32(10_000 + 100*i + k))
		}
	}
	_, err := draft.Install(t.Context(), nil, o.now, all, uplink.Options{})
	if field := noRoom(err); field == nil || field.Field != "Also" || strings.Contains(field.Reason, "together") {
		t.Errorf("all in one call: %v", err)
	}
}

// noRoom returns an error that says that there is no room, or nil.
func noRoom(err error) *plan.FieldError {
	var field *plan.FieldError
	if errors.As(err, &field) && strings.Contains(field.Reason, "no room for") {
		return field
	}
	return nil
}
