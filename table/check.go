package table

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Validate reports what is wrong with u on any host: the first field that is
// missing or does not fit the others, as a [*FieldError]. Install and Remove
// begin with it.
func (u SourceRoutedUplink) Validate() error {
	if u.Interface == "" {
		return u.field("Interface", "is not set")
	}
	if u.Table != 0 && reserved(u.Table) {
		return u.field("Table", "%s is a table of the system", u.Table)
	}
	if u.Gateway.Zone() != "" {
		return u.field("Gateway", "%s has a zone: Interface says it", u.Gateway)
	}
	if u.OnLink && !u.Gateway.IsValid() {
		return u.field("OnLink", "needs a Gateway")
	}
	f := u.family()
	for _, a := range u.Sources {
		switch {
		case !a.IsValid():
			return u.field("Sources", "an address is not set")
		case a.Zone() != "":
			return u.field("Sources", "%s has a zone", a)
		case u.Gateway.IsValid() && route.FamilyOf(a) != f:
			return u.field("Sources", "%s and the gateway %s are of different families", a, u.Gateway)
		}
	}
	for _, p := range u.Routes {
		switch {
		case !p.IsValid():
			return u.field("Routes", "a prefix is not set")
		case p != p.Masked():
			return u.field("Routes", "%s has bits beyond its length: %s?", p, p.Masked())
		case u.Gateway.IsValid() && route.FamilyOf(p.Addr()) != f:
			return u.field("Routes", "%s and the gateway %s are of different families", p, u.Gateway)
		}
	}
	for i := range u.Also {
		if err := u.checkAlso(u.Also[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkAlso refuses a rule that would not be found again, or takes everything.
func (u *SourceRoutedUplink) checkAlso(r rule.Rule) error {
	bare := rule.Rule{
		Family: r.Family, Priority: r.Priority, Action: r.Action, Table: r.Table, Protocol: r.Protocol,
	}
	text := r
	if text.Action == 0 && text.Goto == 0 {
		text.Action = rule.ActionLookup
		if text.Table == 0 {
			text.Table = u.Table
		}
	}
	fail := func(reason string) error { return u.field("Also", "%q %s", text.Args(nil), reason) }
	f := alsoFamily(&r)
	switch {
	case r == bare:
		return fail("selects every packet")
	case r.Table != 0 && r.Table != u.Table:
		return fail("has a table of its own")
	case r.Protocol != 0 && r.Protocol != u.protocol():
		return fail("has a protocol of its own")
	case r.Goto != 0 || r.Action != 0 && r.Action != rule.ActionLookup:
		return fail("has an action of its own")
	case f != 0 && r.Family != 0 && f != r.Family:
		return fail("has addresses of another family than its own")
	case !slices.Contains(u.families(), cmp.Or(f, r.Family, u.families()[0])):
		return fail("is not of the uplink's family")
	}
	return nil
}

func (u *SourceRoutedUplink) field(name, format string, args ...any) error {
	return &FieldError{Uplink: u.String(), Field: name, Reason: fmt.Sprintf(format, args...)}
}

// distinct refuses an uplink that another one of the same call is in the way of.
func (w *wanted) distinct(all []*wanted) error {
	for _, o := range all {
		if o.uplink.Name != "" && o.uplink.Name == w.uplink.Name && o.table != w.table {
			return w.uplink.field("Name", "stands for the tables %d and %d", uint32(o.table), uint32(w.table))
		}
		if o.table != w.table {
			for _, a := range w.sources {
				if slices.Contains(o.sources, a) {
					return w.uplink.field("Sources", "%s is also a source of uplink %s", a, o.uplink)
				}
			}
			continue
		}
		if o.uplink.Name != w.uplink.Name {
			return w.uplink.field("Table", "%d is also the table of uplink %s", uint32(w.table), o.uplink)
		}
		for _, f := range w.families {
			if slices.Contains(o.families, f) {
				return w.uplink.field("Table", "%d has another uplink of %s", uint32(w.table), ipName(f))
			}
		}
	}
	return nil
}

// checkName refuses a name that means another table.
func (s *state) checkName(u *SourceRoutedUplink, id rttables.ID) error {
	if u.Name == "" {
		return nil
	}
	have, ok := s.names.get().Files.Lookup(u.Name)
	if ok && have != id && !rttables.Registered(u.Etc, have, u.Name) { // ours may move
		return u.field("Name", "%s is the name of table %d in rt_tables", u.Name, uint32(have))
	}
	return nil
}

// checkForeign refuses a table that others use.
func (s *state) checkForeign(w *wanted) error {
	for _, have := range s.routes[w.table] {
		if slices.Contains(w.families, have.Family) && !w.owns(have.Family, have.Table, have.Protocol) {
			return &ConflictError{
				Uplink: w.uplink.String(), Object: have.Text(s.names.get()), Owner: have.Protocol,
				Reason: fmt.Sprintf("table %s has someone else's route", s.names.get().FileNames().Name(w.table)),
			}
		}
	}
	return nil
}
