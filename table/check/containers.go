package check

import (
	"fmt"
	"net/netip"
	"regexp"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A containerNet is a bridge to which a container engine connects containers.
type containerNet struct {
	bridge string
	index  uint32
	addr   netip.Addr // one that a container can have
}

// bridgeNames are the names that Docker, Podman, containerd, LXD and Incus give bridges.
var bridgeNames = regexp.MustCompile(`^(docker[0-9]+|br-[0-9a-f]{12}|podman[0-9]+|cni-podman[0-9]+|cni[0-9]+|nerdctl[0-9]+|lxdbr[0-9]+|incusbr[0-9]+)$`)

// containerNets returns the bridges of container engines that have a running container. A
// bridge without a running container has no carrier.
func (f *facts) containerNets() []containerNet {
	var all []containerNet
	for _, a := range f.now.Addrs {
		name := f.now.Links.Name(a.Index)
		if !a.Global || !a.Subnet.IsValid() || !bridgeNames.MatchString(name) ||
			f.now.Links.Flags(a.Index)&uapi.IFF_LOWER_UP == 0 {
			continue
		}
		if addr, ok := f.foreignAddress(a.Subnet); ok {
			all = append(all, containerNet{name, a.Index, addr})
		}
	}
	return all
}

// answer returns the lookup of a container's answer to a client far away.
func (n *containerNet) answer() route.Query {
	return route.Query{Src: n.addr, Dst: internetAddrs[route.FamilyOf(n.addr)], IIF: n.index}
}

// checkContainers finds containers whose published ports do not answer by an uplink. An
// answer still has the container's address when its route is looked up. If a rule by mark
// leads to the uplink, the administrator already marks connections.
func (e *examiner) checkContainers(u *subject) []Finding {
	id := u.installed.table()
	if id == rttables.Unspec || e.replies.policy.Forwarded {
		return nil
	}
	for i := range e.containers {
		n := &e.containers[i]
		family := route.FamilyOf(n.addr)
		r, ok := e.answers[n.answer()]
		if !ok || r.OIF == u.index || !u.inFamily(family) || e.isMarked(family, id) {
			continue
		}
		return []Finding{{
			Code: CodePublishedPorts, Severity: Note, Object: n.bridge,
			Text: fmt.Sprintf("if a container on %s has a published port (DNAT), its %s answers to clients that came in by %s leave by %s",
				n.bridge, form.FamilyName(family), u.spec.Interface, e.outOf(&outcome{true, r})),
			Cure: `nothing has to be done if no port is published there; otherwise add the line reply forwarded: see "uplinks help containers"`,
		}}
	}
	return nil
}

// isMarked reports whether a rule by mark leads to a table.
func (e *examiner) isMarked(f route.Family, id rttables.ID) bool {
	for _, r := range e.now.Rules(f).All {
		if r.FwMark.IsSet() && r.Table == id {
			return true
		}
	}
	return false
}
