package maintain

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/plan"
)

// declare takes the uplinks to maintain from now on. Each passes its known facts to the
// uplink that succeeds it. Uplinks that no other one succeeds have to be removed.
func (m *maintainer) declare(update Update) {
	m.stopProbers()
	m.shared.declare(update.Default)
	m.replies.wanted = update.Reply
	old := m.uplinks
	m.uplinks, m.ready = make([]*maintainedUplink, 0, len(update.Uplinks)), false
	taken := make(map[netip.Addr]*Uplink)
	tables := make(map[rttables.ID]bool)
	for i, u := range update.Uplinks {
		k := &maintainedUplink{Uplink: u, owner: i, taken: taken}
		m.uplinks = append(m.uplinks, k)
		tables[u.Table] = true
		for _, a := range u.Sources {
			taken[a] = &k.Uplink
		}
	}
	leaving := succession(old, m.uplinks)
	for _, k := range m.uplinks {
		k.others = m.uplinks
		if tables[k.memory.oldTable] {
			k.memory.oldTable = 0
		}
	}
	for _, k := range leaving {
		k.owner = plan.NoOwner
	}
	m.leaving = append(m.leaving, leaving...)
	m.groups, m.protocols = groupsOf(m.uplinks), protocolsOf(m.uplinks)
	why := causeStart
	if len(leaving) > 0 || m.conn != nil {
		why = causeUpdate
	}
	// The rest of the agenda is about groups that no longer exist.
	m.agenda = agenda{causes: m.agenda.causes&^causeStart | why, anew: true}
}

// succession lets new uplinks succeed old ones, and returns the old uplinks that no
// other one succeeds. Uplinks with the same label and Sources come first, then those
// with the same label, and then uplinks without a name by the same interface.
func succession(old, declared []*maintainedUplink) []*maintainedUplink {
	succeeds := make(map[*maintainedUplink]bool, len(declared))
	for _, key := range []func(*maintainedUplink) string{
		func(k *maintainedUplink) string { return fmt.Sprint(k.String(), k.Sources) },
		(*maintainedUplink).String,
		(*maintainedUplink).namelessInterface,
	} {
		candidates := make(map[string][]*maintainedUplink, len(old))
		for _, o := range old {
			candidates[key(o)] = append(candidates[key(o)], o)
		}
		succeeded := make(map[*maintainedUplink]bool, len(old))
		for _, k := range declared {
			at := key(k)
			i := slices.IndexFunc(candidates[at], k.canSucceed)
			if at == "" || succeeds[k] || i < 0 {
				continue
			}
			o := candidates[at][i]
			candidates[at] = slices.Delete(candidates[at], i, i+1)
			k.succeed(o)
			succeeds[k], succeeded[o] = true, true
		}
		old = slices.DeleteFunc(slices.Clone(old), func(o *maintainedUplink) bool { return succeeded[o] })
	}
	return old
}

// namelessInterface returns the interface of an uplink that has no name.
func (k *maintainedUplink) namelessInterface() string {
	if k.Name != "" {
		return ""
	}
	return k.Interface
}

// groupsOf returns the groups of uplinks that are maintained in one transaction: those
// with the same label.
func groupsOf(uplinks []*maintainedUplink) []*group {
	var groups []*group
	at := make(map[string]int, len(uplinks))
	for _, k := range uplinks {
		i, ok := at[k.String()]
		if !ok {
			i = len(groups)
			at[k.String()], groups = i, append(groups, new(group))
		}
		k.group = i
		groups[i].uplinks = append(groups[i].uplinks, k)
	}
	return groups
}
