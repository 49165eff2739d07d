package reply

import (
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
)

// gcInterval returns how often the kernel removes forgotten clients of a set, in
// milliseconds. A client that asks another address than before leaves an entry behind until
// then, and the kernel finds no room for more than sixteen of these. Each time the kernel
// looks at all clients, so with more of them it does so less often.
func gcInterval(clients uint32) uint32 {
	const least = 100
	return max(least, uint32(uint64(least)*uint64(clients)/uint64(DefaultClients)))
}

// afterSNAT is the priority at which questions are looked at: firewalls have accepted them,
// and their addresses are those that the server sees.
const afterSNAT = nft.PrioritySrcNAT + 10

// askedName returns the name of the set of the clients that have asked an address, and of
// the chain for their questions. Names of nft(8) have no colon.
func askedName(a netip.Addr) string { return askedPrefix + strings.ReplaceAll(a.String(), ":", "_") }

// familyWord returns the end of the names of chains for a family.
func familyWord(f route.Family) string {
	if f == route.IPv6 {
		return "_ipv6"
	}
	return "_ipv4"
}

// udp adds the chains that remember which address a client has asked, and give it to the
// answer.
func (w *tableWriter) udp(p *Policy, ways []*way) {
	var families []route.Family
	for _, f := range familiesOf(ways) {
		if len(sourcesOf(ways, f)) > 0 {
			families = append(families, f)
		}
	}
	if len(families) == 0 {
		return
	}
	for _, f := range families {
		for _, a := range sourcesOf(ways, f) {
			w.contents.Sets = append(w.contents.Sets, askedSet(p, a))
		}
	}
	w.base("questions", nft.TypeFilter, nft.Input, afterSNAT)
	w.base("answers", nft.TypeRoute, nft.Output, nft.PriorityRaw)
	w.chain("question")
	w.chain("answer")
	w.rule("questions", new(match).notUDP().accept(), "")
	w.rule("answers", new(match).notUDP().accept(), "")
	for _, r := range p.ranges() {
		question, answer := new(match), new(match)
		if r != AllPorts() {
			question.port(nft.DestPort(nft.Reg1), r)
			answer.port(nft.SourcePort(nft.Reg1), r)
		}
		w.rule("questions", question.goTo("question"), "")
		w.rule("answers", answer.goTo("answer"), "")
	}
	for _, f := range families {
		question, answer := "question"+familyWord(f), "answer"+familyWord(f)
		w.rule("question", new(match).family(f).goTo(question), "")
		w.rule("answer", new(match).family(f).goTo(answer), "")
		w.chain(question)
		w.chain(answer)
		w.questions(question, f, sourcesOf(ways, f))
		for _, a := range sourcesOf(ways, f) {
			w.rule(answer, new(match).key(f, true).add(nft.Lookup{Set: askedName(a), Source: nft.Reg1}).setSource(a).accept(), "")
		}
	}
}

// questions adds the chains of a family that remember a question.
func (w *tableWriter) questions(chain string, f route.Family, sources []netip.Addr) {
	forget := func(chain string, a netip.Addr) {
		w.rule(chain, new(match).key(f, false).add(nft.Dynset{Set: askedName(a), Op: nft.DynsetDelete, Key: nft.Reg1}), "")
	}
	for _, a := range sources {
		asked := askedName(a)
		w.rule(chain, new(match).dest(a).goTo(asked), "")
		w.chain(asked)
		w.rule(asked, new(match).key(f, false).add(nft.Dynset{Set: asked, Op: nft.DynsetUpdate, Key: nft.Reg1}), "")
		for _, other := range sources {
			if other != a {
				forget(asked, other)
			}
		}
	}
	for _, a := range sources { // the question is to an address that is not an uplink's
		forget(chain, a)
	}
}

// askedSet returns the set of the clients that have asked an address.
func askedSet(p *Policy, a netip.Addr) nft.Set {
	key := nft.TypeIPv4Addr
	if a.Is6() {
		key = nft.TypeIPv6Addr
	}
	return nft.Set{
		Family: nft.Inet, Table: TableName, Name: askedName(a), Flags: nft.Dynamic | nft.Timeout,
		Key:     nft.ConcatOf(key, nft.TypeInetService, nft.TypeInetService),
		Timeout: nft.MillisecondsOf(p.remember()), GCInterval: gcInterval(p.clients()), Size: p.clients(),
	}
}
