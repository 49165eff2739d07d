package maintain

import (
	"cmp"
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// A maintainedUplink is an uplink that is maintained, and the facts that are known of it.
type maintainedUplink struct {
	Uplink
	owner int // its index among the uplinks that were declared, or plan.NoOwner
	group int // the index of its group
	// taken are the addresses in the Sources of uplinks. They are not sources of uplinks that
	// take all addresses of an interface.
	taken map[netip.Addr]*Uplink
	// others are all uplinks that are maintained, including this one.
	others []*maintainedUplink

	memory   memory
	status   status
	reported lastReport
	probing  probeState
	// lacksShared means that the uplink has failed at the last look only because a source
	// also belongs to another uplink.
	lacksShared bool
	// obstructed means that the uplink, or a part of it, was refused at the last look because
	// of the state of the host.
	obstructed bool
}

// A memory has the facts about an uplink that are kept from one look to the next.
type memory struct {
	defaults []route.Route // the last ones that were learned
	sources  []netip.Addr  // at the last look
	index    uint32        // of the interface when it was there last; zero: not known
	// altNames are the alternative names of other interfaces that the uplink has, with the
	// indexes of the interfaces.
	altNames map[string]uint32
	table    rttables.ID // in which the uplink is installed; zero: not known
	// oldTable is the table that the uplink is to be moved from. Zero: none.
	oldTable rttables.ID
	// restored means that the rules of an earlier process have been examined.
	restored bool
	// nameErr is why the name of the table could not be written. Nil: it was written, or
	// there is no name.
	nameErr error
	// overruled are the rules of other programs that were reported to come before the
	// uplink's.
	overruled map[route.Family]rule.Rule
}

// A status has the facts that a look has found out about an uplink.
type status struct {
	waits  string       // what keeps it from being complete; empty: nothing
	usable []netip.Addr // that probes are sent from, the best of each family first
	// families are the families in which the uplink waits for nothing.
	families []route.Family
}

// A probeState is how an uplink is probed.
type probeState struct {
	// prober sends the probes until stop is called. It is kept after that, and the next
	// prober continues it. Stop is nil while nothing is probed.
	prober    *health.Prober
	stop      context.CancelFunc
	unhealthy bool // as it was reported
	// ended means that connections with a translated source have been ended since.
	ended bool
}

// subject returns the common fields of events about the uplink.
func (k *maintainedUplink) subject() subject { return subject{k.String(), k.owner, k.family()} }

// identityIn returns the identity of the uplink in a family.
func (k *maintainedUplink) identityIn(f route.Family) identity { return identity{k.String(), f} }

// table returns the table that the uplink has. Zero: it is not known.
func (k *maintainedUplink) table() rttables.ID { return cmp.Or(k.memory.table, k.Table) }

// isComplete reports whether all of the uplink is installed, except for sources that belong
// to another uplink.
func (k *maintainedUplink) isComplete() bool {
	return (k.reported.kind == EventInstalled || k.lacksShared) && k.status.waits == ""
}

// isWithdrawn reports whether the uplink is to have only the packets of its sources.
func (k *maintainedUplink) isWithdrawn() bool {
	return k.probing.unhealthy && k.Health != nil && k.Health.Withdraw
}

// withdrawal returns the part of Also that is withdrawn for now.
func (k *maintainedUplink) withdrawal() uplink.Withdrawal {
	switch {
	case !k.isWithdrawn():
		return uplink.WithdrawNothing
	case k.Health.WithdrawMarked:
		return uplink.WithdrawAll
	}
	return uplink.WithdrawUnmarked
}

// specWith returns the uplink to install, with default routes that were learned.
func (k *maintainedUplink) specWith(defaults []route.Route) *uplink.Spec {
	spec := uplink.Spec(k.withLearned(defaults))
	return &spec
}

// currentSpec returns the uplink to install, with the default routes that are known.
func (k *maintainedUplink) currentSpec() *uplink.Spec { return k.specWith(k.memory.defaults) }

// learnsNothing reports whether the uplink learns its default routes, and none is known.
func (k *maintainedUplink) learnsNothing(spec *uplink.Spec) bool {
	return k.Learn != 0 && len(spec.Defaults) == 0
}

// canSucceed reports whether the uplink can replace another one, which is then changed and
// not removed first.
func (k *maintainedUplink) canSucceed(o *maintainedUplink) bool {
	return k.family() == o.family() && k.protocol() == o.protocol() && k.Etc == o.Etc &&
		(k.Interface == o.Interface || k.Table == o.Table)
}

// succeed takes over the known facts of another uplink.
func (k *maintainedUplink) succeed(o *maintainedUplink) {
	k.reported = o.reported
	k.reported.failures = 0
	if k.Health != nil {
		k.probing = probeState{prober: o.probing.prober, unhealthy: o.probing.unhealthy, ended: o.probing.ended}
	}
	if o.Interface != k.Interface {
		return
	}
	k.memory = o.memory
	if k.Table != 0 && k.Table != o.memory.table {
		k.memory.table, k.memory.oldTable = 0, o.memory.table
	}
}

// protocolsOf returns the protocols of uplinks, each once.
func protocolsOf(uplinks []*maintainedUplink) []route.Protocol {
	seen := make(map[route.Protocol]bool)
	var protocols []route.Protocol
	for _, k := range uplinks {
		if p := k.protocol(); !seen[p] {
			seen[p] = true
			protocols = append(protocols, p)
		}
	}
	return protocols
}
