package maintain

import (
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// rival returns the uplink that keeps an address which is both on its interface and on
// that of k, if both take all addresses of their interfaces. It is the uplink that already
// has the address as a source or, if neither has, the first one. If rival returns nil, k
// may have the address.
func (r *reading) rival(k *maintainedUplink, a netip.Addr) *maintainedUplink {
	if !r.now.IsRepeated(a) {
		return nil
	}
	index, _ := r.now.Link(k.Interface)
	mine := slices.Contains(k.memory.sources, a)
	for _, o := range k.others {
		if o == k || !o.spec().TakesAll() || !slices.Contains(o.families(), route.FamilyOf(a)) || !r.hasOnOther(o, index, a) {
			continue
		}
		theirs := slices.Contains(o.memory.sources, a)
		if theirs && !mine || theirs == mine && o.owner < k.owner {
			return o
		}
	}
	return nil
}

// hasOnOther reports whether an uplink's interface is not the one with an index, and has
// an address that packets can have.
func (r *reading) hasOnOther(o *maintainedUplink, index uint32, a netip.Addr) bool {
	at, ok := r.now.Link(o.Interface)
	return ok && at != index && slices.ContainsFunc(r.now.AddressesOf(at), func(have host.Address) bool {
		return have.Addr == a && have.Global && !have.Tentative
	})
}

// rivalError returns an error about an address of the interface that another uplink keeps,
// or nil.
func (r *reading) rivalError(k *maintainedUplink, spec *uplink.Spec, f route.Family) error {
	index, ok := r.now.Link(k.Interface)
	if !ok || !spec.TakesAll() {
		return nil
	}
	for _, have := range r.now.AddressesOf(index) {
		if !have.Global || route.FamilyOf(have.Addr) != f || k.taken[have.Addr] != nil {
			continue
		}
		if o := r.rival(k, have.Addr); o != nil {
			return spec.FieldError("Sources", "%s is also a source of uplink %s", have.Addr, &o.Uplink)
		}
	}
	return nil
}

// leaveOutPrefixes removes networks behind this host that the uplink follows, and that
// also belong to an uplink before it, or to one that declares them. It returns an error
// that says so. The other networks stay, because a new network is no reason to remove
// existing ones.
func (r *reading) leaveOutPrefixes(k *maintainedUplink, spec *uplink.Spec, x *uplink.FamilySources) error {
	if len(x.Prefixes) == 0 {
		return nil
	}
	var reason error
	for _, o := range k.others {
		if o == k || len(o.SourcePrefixes)+len(o.SourceInterfaces) == 0 {
			continue
		}
		other := o.currentSpec()
		theirs := other.SourcePrefixes
		if o.owner < k.owner {
			index, _ := r.now.Link(o.Interface)
			for _, f := range o.families() {
				theirs = append(slices.Clip(theirs), other.SourcesOf(r.now, index, f).Prefixes...)
			}
		}
		x.Prefixes = slices.DeleteFunc(x.Prefixes, func(p netip.Prefix) bool {
			if slices.Contains(spec.SourcePrefixes, p) {
				return false // the other one leaves it out
			}
			err := spec.CheckPrefixes([]netip.Prefix{p}, other, theirs)
			if err != nil && reason == nil {
				reason = err
			}
			return err != nil
		})
	}
	return reason
}
