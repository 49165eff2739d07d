package uplink

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// A Spec is an uplink as an administrator writes it. It is table.SourceRoutedUplink,
// whose fields have the documentation.
type Spec struct {
	Name             string
	Table            rttables.ID
	Interface        string
	Gateway          netip.Addr
	Family           route.Family
	Defaults         []route.Route
	Sources          []netip.Addr
	SourcePrefixes   []netip.Prefix
	SourceInterfaces []string
	NoSources        bool
	Priority         uint32
	Protocol         route.Protocol
	Subnets          []netip.Prefix
	Routes           []netip.Prefix
	Also             []rule.Rule
	MainFirst        bool
	Unreachable      bool
	OnLink           bool
	Metric           uint32
	Etc              string
}

// DefaultProtocol is the protocol of uplinks that do not set one. linux/rtnetlink.h does not
// assign this number.
const DefaultProtocol route.Protocol = 0xd2

// String returns the name that messages use: the uplink's name, or its interface and
// gateway.
func (u *Spec) String() string {
	if u.Name != "" {
		return u.Name
	}
	words := []string{"dev", u.Interface}
	if u.Gateway.IsValid() {
		words = append(words, "via", u.Gateway.String())
	}
	return strings.Join(words, " ")
}

// ruleLinks returns the names of interfaces in rules of the uplink.
func (u *Spec) ruleLinks() []string {
	var names []string
	for i := range u.Also {
		for _, dev := range [...]string{u.Also[i].IIF, u.Also[i].OIF} {
			if dev != "" && !slices.Contains(names, dev) {
				names = append(names, dev)
			}
		}
	}
	return names
}

// OtherLinks returns the names of interfaces other than the uplink's own: those of
// SourceInterfaces, and those in its rules.
func (u *Spec) OtherLinks() []string {
	return slices.DeleteFunc(slices.Concat(u.SourceInterfaces, u.ruleLinks()), func(dev string) bool { return dev == u.Interface })
}

// ReadLinks reads the interfaces of the uplink and of its rules, unless they are known.
func (u *Spec) ReadLinks(ctx context.Context, c route.Conn, now *host.State) error {
	return readLinks(ctx, c, now, slices.Concat([]string{u.Interface}, u.SourceInterfaces, u.ruleLinks()))
}

func readLinks(ctx context.Context, c route.Conn, now *host.State, names []string) error {
	for _, dev := range names {
		if err := now.ReadLink(ctx, c, dev); err != nil {
			return err
		}
	}
	return nil
}

// Proto returns the protocol of the uplink's rules and routes.
func (u *Spec) Proto() route.Protocol {
	if u.Protocol == 0 {
		return DefaultProtocol
	}
	return u.Protocol
}

// Protocols returns the protocols of some uplinks, each once.
func Protocols(specs []Spec) []route.Protocol {
	var protocols []route.Protocol
	for i := range specs {
		if p := specs[i].Proto(); !slices.Contains(protocols, p) {
			protocols = append(protocols, p)
		}
	}
	return protocols
}

// Families returns the families that the uplink can have. It is the first of these that is
// set: Family; IPv4 for an IPv4 Gateway; the families of Sources or, with NoSources, of its
// selectors; IPv6 for an IPv6 Gateway; the families of Defaults; both.
func (u *Spec) Families() []route.Family {
	switch {
	case u.Family != 0:
		return []route.Family{u.Family}
	case u.Gateway.Is4():
		return []route.Family{route.IPv4}
	}
	var families []route.Family
	add := func(f route.Family) {
		if f != 0 && !slices.Contains(families, f) {
			families = append(families, f)
		}
	}
	for _, a := range u.Sources {
		add(route.FamilyOf(a))
	}
	if len(u.Sources) > 0 || u.NoSources {
		selected, all := u.selectedFamilies()
		for _, f := range selected {
			if len(u.Sources) > 0 || all {
				add(f)
			}
		}
	}
	if len(families) == 0 {
		add(route.FamilyOf(u.Gateway))
	}
	if len(families) == 0 {
		for i := range u.Defaults {
			d := &u.Defaults[i]
			f := cmp.Or(statedFamily(d), route.FamilyOf(firstHop(d).Gateway))
			if f == 0 { // it can have both
				return slices.Clone(form.Families[:])
			}
			add(f)
		}
	}
	if len(families) == 0 {
		return slices.Clone(form.Families[:])
	}
	return families
}

// selectedFamilies returns the families that SourcePrefixes and, with NoSources, the rules
// of Also name. The result all reports whether each selector names a family.
func (u *Spec) selectedFamilies() (families []route.Family, all bool) {
	for _, p := range u.SourcePrefixes {
		families = append(families, route.FamilyOf(p.Addr()))
	}
	all = len(u.SourceInterfaces) == 0
	if u.NoSources {
		for i := range u.Also {
			f := cmp.Or(form.AddressFamily(&u.Also[i]), u.Also[i].Family)
			if f == 0 {
				all = false
				continue
			}
			families = append(families, f)
		}
	}
	return families, all
}

// TakesAll reports whether all global addresses of the interface are sources.
func (u *Spec) TakesAll() bool { return len(u.Sources) == 0 && !u.NoSources }

// OnlyFamily returns the family of an uplink that can have one, and zero if it can have
// both.
func (u *Spec) OnlyFamily() route.Family {
	if families := u.Families(); len(families) == 1 {
		return families[0]
	}
	return 0
}

// InFamily reports whether the uplink can have a family.
func (u *Spec) InFamily(f route.Family) bool { return slices.Contains(u.Families(), f) }

// Height returns how many priorities the rungs need, if they come after the rule for table
// local.
func (u *Spec) Height() uint32 {
	n := uint32(1)
	if u.MainFirst {
		n += 2
	}
	if u.Unreachable {
		n++
	}
	return n
}

// FieldError returns a [*plan.FieldError] about a field of the uplink.
func (u *Spec) FieldError(field, format string, args ...any) error {
	return &plan.FieldError{Uplink: u.String(), Field: field, Reason: fmt.Sprintf(format, args...)}
}

// An OrderError is a [*plan.FieldError] about rules that would be in a wrong order: a rule
// from a source behind a rule of Also of another uplink. If that uplink is in the same call,
// the rules of both may find places.
type OrderError struct{ Err *plan.FieldError }

// Error returns the message of the FieldError.
func (e *OrderError) Error() string { return e.Err.Error() }

// Unwrap returns the FieldError.
func (e *OrderError) Unwrap() error { return e.Err }

// OrderError returns an [*OrderError] about a field of the uplink.
func (u *Spec) OrderError(field, format string, args ...any) error {
	return &OrderError{&plan.FieldError{Uplink: u.String(), Field: field, Reason: fmt.Sprintf(format, args...)}}
}

// Conflict returns a [*plan.ConflictError] about a rule of another program.
func (u *Spec) Conflict(r rule.Rule, reason string) error {
	return &plan.ConflictError{Uplink: u.String(), Object: r.String(), Owner: r.Protocol, Reason: reason}
}
