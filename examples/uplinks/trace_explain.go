package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"github.com/policyroute/policyroute/internal/fibtrace"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
)

// maxMarks is how many marks of rules are tried.
const maxMarks = 16

// unknownProto stands for a protocol that the kernel does not know in an IPv4 lookup: no rule
// with ipproto matches such a packet. For package explain, zero would be UDP. The number is
// reserved, so no packet has it.
const unknownProto = 255

// A traceHost is the host at one moment. It does not change.
type traceHost struct {
	fib    *explain.FIB
	names  map[int32]string // of all interfaces
	links  *route.Names
	tables map[familyTable]bool // those that have routes
}

// A familyTable is a table of a family.
type familyTable struct {
	six bool
	id  rttables.ID
}

func newTraceHost(w explain.World) *traceHost {
	h := &traceHost{explain.NewFIB(w), make(map[int32]string), &route.Names{Links: linksOf(&w)}, make(map[familyTable]bool)}
	for _, l := range w.Links {
		h.names[int32(l.Index)] = l.Name
	}
	for i := range w.Routes {
		h.tables[familyTable{w.Routes[i].Family == route.IPv6, w.Routes[i].Table}] = true
	}
	return h
}

// A traceReason is the rule and the route that decided.
type traceReason struct {
	// Mark is the mark that the packet must have.
	Mark uint32 `json:"mark,omitempty"`
	// Rule is the rule that decided. It is nil if the kernel asked no rule, or none decided.
	Rule  *tapRule `json:"rule,omitempty"`
	Route string   `json:"route,omitempty"`
	// Refusal says why the kernel refuses the packet, if neither rule nor route does.
	Refusal string `json:"refusal,omitempty"`
	// Unknown says why the rule is not known.
	Unknown string `json:"unknown,omitempty"`
}

// explain finds the rule and the route of a lookup by a program of a user. The lookup does not
// have the mark of the packet. Explain tries packets without a mark, and then the marks of the
// rules.
func (h *traceHost) explain(l *lookup, uid uint32) traceReason {
	e := l.packet()
	if l.forward != nil {
		e = l.forward
	}
	p, err := h.packet(e)
	if err != nil {
		return traceReason{Unknown: err.Error()}
	}
	if p.IIF == "" {
		p.UID = uid
	}
	if l.more > 0 {
		return traceReason{Unknown: "the kernel asked too many tables"}
	}
	first := ""
	for _, mark := range h.marks(e.Family) {
		p.Mark = mark
		x := h.fib.Explain(p)
		steps := x.Steps
		if l.forward != nil {
			steps = x.Back
		}
		differs := h.differs(l, &x.Decision, steps)
		if differs == "" {
			r := h.reason(&x.Decision, steps, l.forward != nil)
			r.Mark = mark
			return r
		}
		if first == "" {
			first = differs
		}
	}
	return traceReason{Unknown: first}
}

// packet returns the packet of an event for package explain.
func (h *traceHost) packet(e *fibtrace.Event) (explain.Packet, error) {
	p := explain.Packet{
		To: e.Dst, TOS: e.TOS &^ 3, IPProto: route.IPProto(e.Proto), SPort: e.SPort, DPort: e.DPort, FlowLabel: e.FlowLabel & 0xfffff,
	}
	if !e.Src.IsUnspecified() {
		p.From = e.Src
	}
	if e.Family == 4 && e.Proto == 0 {
		p.IPProto = unknownProto
	}
	for _, x := range []struct {
		index int32
		name  *string
	}{{e.IIF, &p.IIF}, {e.OIF, &p.OIF}} {
		if x.index == 0 || x.name == &p.IIF && x.index == loopback {
			continue
		}
		name, ok := h.names[x.index]
		if !ok {
			return p, fmt.Errorf("this network namespace has no interface %d: the packet is of another one", x.index)
		}
		*x.name = name
	}
	return p, nil
}

// marks returns zero and the marks of the rules of a family.
func (h *traceHost) marks(family int) []uint32 {
	marks := []uint32{0}
	for _, r := range h.fib.World().Rules {
		m := r.FwMark.Value()
		if isOfFamily(r.Family, family) && r.FwMark.IsSet() && !slices.Contains(marks, m) && len(marks) < maxMarks {
			marks = append(marks, m)
		}
	}
	return marks
}

func isOfFamily(f route.Family, family int) bool { return (f == route.IPv6) == (family == 6) }

// differs says how the lookup of the kernel differs from what package explain found. It is
// empty if both are the same.
func (h *traceHost) differs(l *lookup, d *explain.Decision, steps []explain.Step) string {
	var asked []*explain.Step
	var want, got []rttables.ID
	for i := range steps {
		if s := &steps[i]; s.Asked {
			id := s.Table
			if s.Merged {
				id = rttables.Main
			}
			asked, want = append(asked, s), append(want, id)
		}
	}
	merged := len(asked) > 0 && asked[0].Merged
	for i := range l.asked {
		// A table without routes is not in the World, and decides nothing.
		if id := rttables.ID(l.asked[i].Table); h.hasRoutes(id, l.packet().Family, merged) {
			got = append(got, id)
		}
	}
	if len(want) == 0 && d.Error != 0 {
		return fmt.Sprintf("this network namespace refuses the packet without a lookup (%s): another namespace, or a change", refusalText(d))
	}
	if !slices.Equal(want, got) {
		return fmt.Sprintf("the rules of this network namespace lead to %s: another namespace, a mark, or a change",
			tableList(want))
	}
	last := &l.asked[len(l.asked)-1]
	if len(asked) == 0 || !h.agrees(last, asked[len(asked)-1], d, l.forward != nil) {
		return "the tables of this network namespace have another answer: another namespace, a mark, or a change"
	}
	return ""
}

// tableList returns the names of tables.
func tableList(ids []rttables.ID) string {
	if len(ids) == 0 {
		return "no table"
	}
	var names []string
	for _, id := range ids {
		names = append(names, id.String())
	}
	return "table " + strings.Join(names, ", ")
}

// hasRoutes reports whether a table has routes. Main has those of local if the two are merged.
func (h *traceHost) hasRoutes(id rttables.ID, family int, merged bool) bool {
	six := family == 6
	return h.tables[familyTable{six, id}] || merged && id == rttables.Main && h.tables[familyTable{six, rttables.Local}]
}

// agrees reports whether the last table said what package explain found in it.
func (h *traceHost) agrees(e *fibtrace.Event, s *explain.Step, d *explain.Decision, reverse bool) bool {
	if s.Route < 0 {
		return e.Err != 0
	}
	r := &h.fib.World().Routes[s.Route]
	refuses := slices.Contains([]route.Type{route.TypeUnreachable, route.TypeProhibit, route.TypeBlackhole, route.TypeThrow}, r.Type)
	if e.Err != 0 || refuses {
		return e.Err != 0 && refuses
	}
	hops := []explain.Candidate{{OIF: r.OIF, Via: r.Gateway}}
	if len(r.Multipath) > 0 {
		hops = hops[:0]
		for _, n := range r.Multipath {
			hops = append(hops, explain.Candidate{OIF: n.OIF, Via: n.Gateway})
		}
	}
	if r.NextHopID != 0 {
		if reverse || s.Route != d.Route {
			return true // the next hops of this object are not in the decision
		}
		hops = append(slices.Clone(d.Candidates), explain.Candidate{OIF: d.OIF, Via: d.Via})
	}
	return slices.ContainsFunc(hops, func(c explain.Candidate) bool {
		return (h.names[int32(c.OIF)] == e.Dev || r.Type != route.TypeUnicast && e.Dev == h.names[loopback]) && sameGateway(c.Via, e.Gateway)
	})
}

// sameGateway compares gateways. An event has none for an unspecified one.
func sameGateway(a, b netip.Addr) bool {
	return a == b || !b.IsValid() && a.IsUnspecified()
}

// reason returns the rule and the route of the last step.
func (h *traceHost) reason(d *explain.Decision, steps []explain.Step, reverse bool) (t traceReason) {
	w := h.fib.World()
	last := &steps[len(steps)-1]
	if last.Result == explain.ResultDecided || last.Result == explain.ResultRefused {
		if last.Rule >= 0 {
			r := w.Rules[last.Rule]
			r.Protocol = 0
			t.Rule = &tapRule{r.Priority.Or(0), r.Text(h.links)}
		}
		if last.Route >= 0 {
			r := w.Routes[last.Route]
			r.Table, r.Protocol = 0, route.ProtoBoot // the words that are the default
			t.Route = strings.TrimSpace(r.Text(h.links))
		}
	}
	if !reverse && d.Refusal != 0 {
		t.Refusal = refusalText(d)
	}
	return t
}

// saysText returns what a table said. A lookup that ends with an error of IPv6 may have found
// no route, or one that is unreachable.
func saysText(e *fibtrace.Event, last bool) string {
	switch {
	case e.Err == syscall.EAGAIN, e.Err == syscall.EHOSTUNREACH && e.Family == 6 && !last:
		return "no route"
	case e.Err == syscall.EHOSTUNREACH, e.Err == syscall.ENETUNREACH:
		return "unreachable"
	case e.Err == syscall.EACCES:
		return "prohibit"
	case e.Err == syscall.EINVAL:
		return "blackhole"
	case e.Err != 0:
		return errnoText(e.Err)
	}
	var words []string
	if e.Gateway.IsValid() {
		words = append(words, "via "+e.Gateway.String())
	}
	if e.Dev != "" && e.Dev != "-" {
		words = append(words, "dev "+e.Dev)
	}
	if len(words) == 0 {
		return "found"
	}
	return strings.Join(words, " ")
}
