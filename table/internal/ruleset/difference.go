package ruleset

import (
	"slices"

	"github.com/policyroute/policyroute/internal/nft"
)

// A verb is what an operation does.
type verb uint8

const (
	addTable verb = iota
	deleteTable
	flushChain
	deleteChain
	deleteSet
	addSet
	addChain
	addRule
)

// An operation is one request of a batch.
type operation struct {
	verb  verb
	table nft.Table
	chain nft.Chain
	set   nft.Set
	rule  nft.Rule
}

// add adds the operation to a batch.
func (o *operation) add(b *nft.Batch) {
	switch o.verb {
	case addTable:
		b.AddTable(o.table)
	case deleteTable:
		b.DeleteTable(o.table)
	case flushChain:
		b.FlushChain(o.chain)
	case deleteChain:
		b.DeleteChain(o.chain)
	case deleteSet:
		b.DeleteSet(o.set)
	case addSet:
		b.CreateSet(o.set)
	case addChain:
		b.CreateChain(o.chain)
	case addRule:
		b.AddRule(o.rule)
	}
}

// difference returns the operations that make one contents of a table another one.
func difference(from, to *nft.Contents) []operation {
	// Parts are compared as the kernel reports them, and sent as they are declared.
	switch {
	case from.Equal(to):
		return nil
	case !to.Found:
		return []operation{{verb: deleteTable, table: nft.Table{Family: from.Table.Family, Name: from.Table.Name}}}
	case !from.Found:
		return everything(to)
	}
	d := newDiffer(from, to)
	var all []operation
	if d.from.Table.Flags != d.to.Table.Flags { // somebody has made it dormant
		all = append(all, operation{verb: addTable, table: to.Table})
	}
	stale := d.staleChains()
	for _, c := range from.Chains {
		if stale[c.Name] {
			all = append(all, operation{verb: flushChain, chain: c})
		}
	}
	for _, c := range from.Chains {
		if !d.keepsChain(c.Name) {
			all = append(all, operation{verb: deleteChain, chain: c})
		}
	}
	for _, s := range from.Sets {
		if !d.keepsSet(s.Name) {
			all = append(all, operation{verb: deleteSet, set: s})
		}
	}
	for _, s := range to.Sets {
		if !d.keepsSet(s.Name) {
			all = append(all, operation{verb: addSet, set: s})
		}
	}
	for _, c := range to.Chains {
		if !d.keepsChain(c.Name) {
			all = append(all, operation{verb: addChain, chain: c})
		}
	}
	for _, r := range to.Rules {
		if stale[r.Chain] || !d.keepsChain(r.Chain) {
			all = append(all, operation{verb: addRule, rule: r})
		}
	}
	return all
}

// everything returns the operations that make a table that does not exist.
func everything(to *nft.Contents) []operation {
	all := []operation{{verb: addTable, table: to.Table}}
	for _, s := range to.Sets {
		all = append(all, operation{verb: addSet, set: s})
	}
	for _, c := range to.Chains {
		all = append(all, operation{verb: addChain, chain: c})
	}
	for _, r := range to.Rules {
		all = append(all, operation{verb: addRule, rule: r})
	}
	return all
}

// A differ compares the parts of two contents in their canonical form.
type differ struct {
	from, to *nft.Contents
	keepAll  bool // no chain or set is made again under its name
}

func newDiffer(from, to *nft.Contents) *differ {
	d := &differ{from: from.Canonical(), to: to.Canonical(), keepAll: true}
	for _, c := range d.from.Chains {
		d.keepAll = d.keepAll && (d.keepsChain(c.Name) || !slices.ContainsFunc(d.to.Chains, isChain(c.Name)))
	}
	for _, s := range d.from.Sets {
		d.keepAll = d.keepAll && (d.keepsSet(s.Name) || !slices.ContainsFunc(d.to.Sets, isSet(s.Name)))
	}
	return d
}

func isChain(name string) func(nft.Chain) bool {
	return func(c nft.Chain) bool { return c.Name == name }
}

func isSet(name string) func(nft.Set) bool {
	return func(s nft.Set) bool { return s.Name == name }
}

// keepsChain reports whether both contents have the same chain, whatever its rules.
func (d *differ) keepsChain(name string) bool {
	a, b := slices.IndexFunc(d.from.Chains, isChain(name)), slices.IndexFunc(d.to.Chains, isChain(name))
	return a >= 0 && b >= 0 && d.from.Chains[a] == d.to.Chains[b]
}

// keepsSet reports whether both contents have the same set. It then keeps its elements.
func (d *differ) keepsSet(name string) bool {
	a, b := slices.IndexFunc(d.from.Sets, isSet(name)), slices.IndexFunc(d.to.Sets, isSet(name))
	return a >= 0 && b >= 0 && d.from.Sets[a].Equal(d.to.Sets[b])
}

// staleChains returns the chains of from whose rules are not to stay. If a chain or a set is
// made again under its name, these are all chains, because their rules may use it.
func (d *differ) staleChains() map[string]bool {
	stale := make(map[string]bool)
	for _, c := range d.from.Chains {
		stale[c.Name] = !d.keepAll || !d.keepsChain(c.Name) ||
			!slices.EqualFunc(rulesOf(d.from, c.Name), rulesOf(d.to, c.Name), sameRule)
	}
	return stale
}

func rulesOf(t *nft.Contents, chain string) []nft.Rule {
	return slices.DeleteFunc(slices.Clone(t.Rules), func(r nft.Rule) bool { return r.Chain != chain })
}

// sameRule reports whether two rules in canonical form are the same.
func sameRule(a, b nft.Rule) bool {
	return slices.Equal(a.Exprs, b.Exprs) && a.Comment == b.Comment && a.UserData == b.UserData && a.Unknown == b.Unknown
}
