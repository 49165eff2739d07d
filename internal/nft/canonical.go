package nft

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/policyroute/policyroute/internal/uapi"
)

// Equal reports whether two tables have the same chains, sets and rules: whether their
// canonical forms are the same.
func (t *Contents) Equal(o *Contents) bool { return reflect.DeepEqual(t.Canonical(), o.Canonical()) }

// Canonical returns t without what only the kernel chooses: handles, counts, the names of
// anonymous sets, and the values of what was left out. Chains and sets are in the order of
// their names, rules in that of their chains. So what was sent to the kernel and what the
// kernel then has are the same in canonical form. It has no Unknown attributes of tables,
// chains, sets, elements and rules, since newer kernels report attributes that were not
// sent, but it has those of expressions.
func (t *Contents) Canonical() *Contents {
	c := &Contents{Found: t.Found, Table: t.Table.canonical()}
	anonymous := t.anonymousNames()
	rename := func(set string) string { return cmp.Or(anonymous[set], set) }
	for _, chain := range t.Chains {
		c.Chains = append(c.Chains, chain.canonical())
	}
	timeouts := make(map[string]Milliseconds)
	for _, s := range t.Sets {
		n := s.canonical()
		n.Name = rename(s.Name)
		c.Sets = append(c.Sets, n)
		timeouts[s.Name] = s.Timeout
	}
	for set, elements := range t.Elements {
		if len(elements) > 0 {
			if c.Elements == nil {
				c.Elements = make(map[string][]Element)
			}
			c.Elements[rename(set)] = canonicalElements(elements, timeouts[set])
		}
	}
	for _, r := range t.Rules {
		c.Rules = append(c.Rules, r.canonical(rename))
	}
	slices.SortFunc(c.Chains, func(a, b Chain) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Sets, func(a, b Set) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.Rules, func(a, b Rule) int { return cmp.Compare(a.Chain, b.Chain) })
	return c
}

// anonymousNames returns a name for each anonymous set, by the order in which rules use
// them.
func (t *Contents) anonymousNames() map[string]string {
	names := make(map[string]string)
	for _, s := range t.Sets {
		if s.Flags&Anonymous != 0 {
			names[s.Name] = ""
		}
	}
	n := 0
	rules := slices.Clone(t.Rules)
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Chain, b.Chain) })
	for _, r := range rules {
		for _, e := range r.Exprs {
			l, ok := e.(Lookup)
			if !ok {
				continue
			}
			if name, anonymous := names[l.Set]; anonymous && name == "" {
				names[l.Set] = fmt.Sprintf("anonymous%d", n)
				n++
			}
		}
	}
	return names
}

func (t Table) canonical() Table {
	t.Handle, t.Use, t.OwnerID, t.Unknown = 0, 0, 0, ""
	return t
}

func (c Chain) canonical() Chain {
	c.Handle, c.Use, c.Counters, c.Unknown = 0, 0, "", ""
	if c.Base {
		c.Flags &^= uapi.NFT_CHAIN_BASE
		if c.Policy == NoPolicy {
			c.Policy = PolicyAccept
		}
	}
	return c
}

func (s Set) canonical() Set {
	s.Handle, s.ID, s.Unknown, s.UnknownDesc = 0, 0, "", ""
	if s.Data.Number == uapi.NFT_DATA_VERDICT {
		s.Data.Len = 0
	}
	if len(s.Fields) == 0 {
		s.Fields = nil
	}
	if s.Flags&Anonymous != 0 {
		s.Size = 0 // nft(8) says how many elements follow
	}
	return s
}

// canonicalElements returns the elements of a set whose elements have a timeout. Older
// kernels also report it for elements that were added without one.
func canonicalElements(elements []Element, timeout Milliseconds) []Element {
	elements = slices.Clone(elements)
	for i := range elements {
		elements[i].Expiration, elements[i].Unknown = 0, ""
		if elements[i].Timeout == timeout {
			elements[i].Timeout = 0
		}
	}
	slices.SortFunc(elements, func(a, b Element) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Flags, b.Flags), cmp.Compare(a.KeyEnd, b.KeyEnd))
	})
	return elements
}

func (r Rule) canonical(rename func(set string) string) Rule {
	r.Handle, r.Position, r.Unknown = 0, 0, ""
	exprs := slices.Clone(r.Exprs)
	for i, e := range exprs {
		exprs[i] = e.canonical()
		if l, ok := exprs[i].(Lookup); ok {
			l.Set = rename(l.Set)
			exprs[i] = l
		}
	}
	r.Exprs = exprs
	return r
}

// Lines returns the table as text, in canonical form: a line for each object, element and
// expression.
func (t *Contents) Lines() []string {
	c := t.Canonical()
	if !c.Found {
		return nil
	}
	lines := []string{fmt.Sprintf("%s flags %d comment %q", c.Table, c.Table.Flags, c.Table.Comment)}
	for _, s := range c.Sets {
		lines = append(lines, fmt.Sprintf("%s flags 0x%x key %v data %v timeout %dms gc %dms size %d comment %q",
			s, uint32(s.Flags), s.Key, s.Data, s.Timeout, s.GCInterval, s.Size, s.Comment))
		for _, e := range c.Elements[s.Name] {
			lines = append(lines, fmt.Sprintf("  element %x %x %v flags %d comment %q", e.Key, e.Data, e.Verdict, e.Flags, e.Comment))
		}
	}
	for _, chain := range c.Chains {
		line := chain.String()
		if chain.Base {
			line += fmt.Sprintf(" type %s hook %d priority %d policy %d", chain.Type, chain.Hook.Number, chain.Hook.Priority, chain.Policy)
		}
		lines = append(lines, line+fmt.Sprintf(" comment %q", chain.Comment))
		for _, r := range c.Rules {
			if r.Chain != chain.Name {
				continue
			}
			lines = append(lines, fmt.Sprintf("  rule comment %q", r.Comment))
			for _, e := range r.Exprs {
				lines = append(lines, "    [ "+e.String()+" ]")
			}
		}
	}
	return lines
}
