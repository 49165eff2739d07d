package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
)

// A kernel is asked about the packets that are explained.
type kernel struct {
	ctx  context.Context
	conn route.Conn
	take func() (explain.World, error) // reads its state again
}

// A kernelAnswer is what the kernel says of a packet.
type kernelAnswer struct {
	Agrees bool `json:"agrees"`
	// Says is the route or the error.
	Says string `json:"says,omitempty"`
	// Unknown is why the kernel could not be asked, or the answer cannot be compared.
	Unknown string `json:"unknown,omitempty"`
}

func (a *kernelAnswer) text() string {
	switch {
	case a.Agrees:
		return "kernel agrees"
	case a.Says == "":
		return "the kernel was not asked: " + a.Unknown
	case a.Unknown != "":
		return "the kernel has " + a.Says + ": " + a.Unknown
	}
	return "the kernel disagrees: " + a.Says
}

// maxComparisons is how often a decision is compared with the kernel's before they count as
// different: the host may change between reading it and asking.
const maxComparisons = 3

// one explains a packet, and asks the kernel about it. The answer is nil for the World of a
// file.
func (x *explainer) one(p explain.Packet) (explain.Explanation, *kernelAnswer, error) {
	for n := 1; ; n++ {
		e := x.fib.Explain(p)
		if x.kernel == nil {
			return e, nil, nil
		}
		d := x.fib.Get(&p)
		answer := x.kernel.ask(x.fib, &p, &d)
		if answer.Agrees || answer.Unknown != "" || n == maxComparisons {
			return e, answer, nil
		}
		w, err := x.kernel.take()
		if err != nil {
			return e, nil, err
		}
		x.fib = explain.NewFIB(w)
	}
}

// ask asks the kernel about a packet, and compares the answer with a decision.
func (k *kernel) ask(f *explain.FIB, p *explain.Packet, d *explain.Decision) *kernelAnswer {
	q, unknown := lookupOf(f.World(), p)
	if unknown != "" {
		return &kernelAnswer{Unknown: unknown}
	}
	r, err := route.Lookup(k.ctx, k.conn, q)
	var number syscall.Errno
	if err != nil && !errors.As(err, &number) {
		return &kernelAnswer{Unknown: errorText(err)}
	}
	a := &kernelAnswer{Says: errnoText(number), Agrees: agreesOnError(p, d, number)}
	if number == 0 {
		a.Says = wayText(f.World(), &r)
		a.Agrees = a.Agrees && agreesOnRoute(p, d, &r)
	}
	if depends := d.Depends; !a.Agrees && depends != 0 {
		a.Unknown = "that depends on " + depends.String()
	}
	return a
}

// lookupOf returns the request for a packet, or why there is none.
func lookupOf(w *explain.World, p *explain.Packet) (q route.Query, unknown string) {
	q = route.Query{
		Dst: p.To, Src: p.From, TOS: p.TOS, Mark: p.Mark, IPProto: p.IPProto, SPort: p.SPort, DPort: p.DPort,
	}
	if p.IIF == "" {
		q.UID = route.Some(p.UID)
	}
	if p.FlowLabel != 0 {
		q.FlowLabel = route.Some(p.FlowLabel)
	}
	if p.TunID != 0 {
		return q, "a request has no tun_id"
	}
	if p.SPort|p.DPort != 0 && p.IPProto == 0 && p.To.Is4() {
		q.IPProto = route.UDP // as the kernel takes it
	}
	for _, x := range []struct {
		name  string
		index *uint32
	}{{p.IIF, &q.IIF}, {p.OIF, &q.OIF}} {
		if x.name == "" {
			continue
		}
		at := slices.IndexFunc(w.Links, func(l explain.Link) bool { return l.Name == x.name || slices.Contains(l.AltNames, x.name) })
		if at < 0 {
			return q, "there is no interface " + x.name
		}
		*x.index = w.Links[at].Index
	}
	return q, ""
}

// wayText returns the words for the way of a packet, without the rest of the kernel's answer.
func wayText(w *explain.World, r *route.Route) string {
	way := route.Route{
		Family: r.Family, Type: r.Type, Dst: r.Dst, OIF: r.OIF, Gateway: r.Gateway, Table: r.Table, PrefSrc: r.PrefSrc, Protocol: route.ProtoBoot,
	}
	return way.Text(&route.Names{Links: linksOf(w)})
}

// linksOf returns the names of the interfaces of a World.
func linksOf(w *explain.World) *route.Links {
	names := make(map[uint32]string)
	for _, l := range w.Links {
		names[l.Index] = l.Name
	}
	return route.MakeLinks(names)
}

func errnoText(number syscall.Errno) string {
	if s := explain.Errno(number).String(); s != "" {
		return s
	}
	return fmt.Sprintf("%d (%v)", int(number), number)
}

// agreesOnError compares the errors. Of packets that come in, the kernel reports another
// error in some versions, so any error is the same.
func agreesOnError(p *explain.Packet, d *explain.Decision, number syscall.Errno) bool {
	if p.IIF != "" {
		return (number != 0) == (d.Error != 0)
	}
	return int(number) == int(d.Error)
}

// verdicts are the verdicts of the types of routes.
var verdicts = map[route.Type]explain.Verdict{
	route.TypeUnicast: explain.Unicast, route.TypeLocal: explain.Local, route.TypeAnycast: explain.Local,
	route.TypeBroadcast: explain.Broadcast, route.TypeMulticast: explain.Multicast,
}

// agreesOnRoute compares a decision with the route that a packet takes.
func agreesOnRoute(p *explain.Packet, d *explain.Decision, r *route.Route) bool {
	if verdicts[r.Type] != d.Verdict || d.Table != r.Table && (d.Table != 0 || d.Rule >= 0) {
		return false
	}
	hops := d.Candidates
	if len(hops) == 0 {
		hops = []explain.Candidate{{OIF: d.OIF, Via: d.Via, Source: d.Source}}
	}
	return slices.ContainsFunc(hops, func(c explain.Candidate) bool {
		return c.OIF == r.OIF && c.Via == r.Gateway && agreesOnSource(p, d, c.Source, r.PrefSrc)
	})
}

// agreesOnSource compares the source that a program gets.
func agreesOnSource(p *explain.Packet, d *explain.Decision, has, kernel netip.Addr) bool {
	if d.Source.IsValid() {
		has = d.Source
	}
	if p.From.IsValid() && !p.From.IsUnspecified() {
		kernel = p.From
	}
	return p.IIF != "" || has == kernel || d.Depends&explain.DependsHash != 0 && !has.IsValid()
}
