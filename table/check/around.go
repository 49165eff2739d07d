package check

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
)

// Findings about the rest of the host.

// checkBypasses finds destinations in LANs that packets from the uplink's addresses, or
// packets that Also selects, reach through the gateway instead. One finding for a rule of
// Also is enough: its cure is the same for all destinations.
func (e *examiner) checkBypasses(u *subject) []Finding {
	links := e.now.Links
	var found []Finding
	reported := make(map[*rule.Rule]bool)
	var first map[route.Family]uint32 // priorities of rules of Also
	for _, b := range u.bypasses {
		if !e.leaves(b.query, u.index) || b.also != nil && reported[b.also] || e.isOnLink(u, b.lan) {
			continue
		}
		by := "leave by " + u.spec.Interface
		if gateway := e.answers[b.query].Gateway; gateway.IsValid() {
			by = "go to the gateway " + gateway.String()
		}
		r := &b.lan.route
		f := Finding{Code: CodeDetour, Severity: Warning}
		which := "from " + b.source.String()
		f.Object = "route " + r.Text(&route.Names{Links: links})
		f.Cure = "add main-first to the uplink's line, so that routes of main other than the default come first, and run " + u.up()
		if u.spec.MainFirst {
			f.Cure = u.up() + ", which adds the missing rule of the word main-first"
		}
		if b.also != nil {
			reported[b.also] = true
			words := selectors(*b.also)
			which = "selected by the rule " + words
			f.Object = "rule " + words
			f.Cure = u.up() + ", which adds the missing rule that looks up main first"
			if form.StandsAlone(b.also) {
				if first == nil {
					first = firstAlso(u)
				}
				f.Cure = iptext.Command(r.Family, "rule", "add", fmt.Sprintf(
					"%s lookup main suppress_prefixlength %d pref %d", words, form.NoDefault(r.Family).Or(0), max(first[r.Family], 1)-1))
			}
		}
		f.Text = fmt.Sprintf("packets %s to %s %s, although main has a route to %s by %s",
			which, r.Dst, by, r.Dst, links.Name(r.OIF))
		found = append(found, f)
	}
	return found
}

// isOnLink reports whether the interface of an uplink is in the LAN that a route of main
// leads to by another interface, or in a smaller one around the destination. The packets
// then reach that LAN by the uplink's interface.
func (e *examiner) isOnLink(u *subject, lan *lanRoute) bool {
	contains := func(p netip.Prefix) bool {
		return p.IsValid() && p.Bits() >= lan.route.Dst.Bits() && p.Contains(lan.dst)
	}
	return slices.ContainsFunc(u.spec.Subnets, contains) ||
		slices.ContainsFunc(e.now.AddressesOf(u.index), func(a host.Address) bool { return contains(a.Subnet) })
}

// firstAlso returns the lowest priority of the installed rules of Also in each family.
func firstAlso(u *subject) map[route.Family]uint32 {
	also := make(map[string]bool)
	for _, r := range u.spec.Also {
		also[selectors(r)] = true
	}
	first := map[route.Family]uint32{route.IPv4: math.MaxUint32, route.IPv6: math.MaxUint32}
	for _, r := range u.installed.rules {
		if also[selectors(r)] {
			first[r.Family] = min(first[r.Family], r.Priority.Or(0))
		}
	}
	return first
}

// selectors returns the words of a rule of Also without the words that the uplink adds.
func selectors(r rule.Rule) string {
	r.Priority, r.Protocol, r.Table, r.Action = route.Opt[uint32]{}, 0, 0, rule.ActionLookup
	return strings.TrimSuffix(r.Args(nil), " lookup 0")
}

// strictFilter is the value of rp_filter with which the kernel drops a packet if an answer
// to the packet would leave by another interface.
const strictFilter = 1

// isStrict reports whether an interface has strict reverse path filtering.
func (s *systemFacts) isStrict(dev string) bool {
	return max(s.conf[dev].reversePath, s.conf["all"].reversePath) == strictFilter
}

// checkReversePath finds packets that strict reverse path filtering drops: those that come
// in by the uplink's interface if answers to them would leave by another one. Packets to a
// source of the uplink pass. So do packets that a rule by incoming interface forwards,
// because the kernel looks up the way back with that interface. Packets that come in have
// no mark, and the filter uses a mark only with src_valid_mark.
func (e *examiner) checkReversePath(u *subject) []Finding {
	dev := u.spec.Interface
	conf, all := e.system.conf[dev], e.system.conf["all"]
	if !e.system.isStrict(dev) || !u.inFamily(route.IPv4) {
		return nil
	}
	loose := "sysctl -w net/ipv4/conf/" + iptext.Quote(dev) + "/rp_filter=2"
	var found []Finding
	for _, a := range u.incoming {
		if !e.leaves(toInternet(a), u.index) {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning, Object: a.String(),
				Text: fmt.Sprintf("rp_filter of %s is strict, and packets from %s leave by another interface: "+
					"the kernel drops packets to %s that come in by %s", dev, a, a, dev),
				Cure: "add this address to src in the uplink's line; or " + loose,
			})
		}
	}
	marks := max(conf.sourceMark, all.sourceMark) != 0
	for _, r := range u.spec.Also {
		if r.FwMark.IsSet() && !marks {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning,
				Object: "rule " + selectors(r),
				Text: fmt.Sprintf("rp_filter of %s is strict and ignores marks: packets selected by this rule leave by %s, "+
					"and the kernel drops the answers to those whose source is not an address of the uplink", dev, dev),
				Cure: "sysctl -w net.ipv4.conf.all.src_valid_mark=1, and set the mark on packets that come in by " + dev + "; or " + loose,
			})
		}
	}
	return found
}

// checkServers finds UDP servers that clients reach by the uplink and whose answers leave
// by another way. The route of an answer chooses its source address, so no rule can match
// the source before.
func (e *examiner) checkServers(u *subject) []Finding {
	var found []Finding
	for i := range e.servers {
		s := &e.servers[i]
		if !u.inFamily(s.family) {
			continue
		}
		source, ok := u.firstSource(s.family)
		if !ok || e.leaves(s.query, u.index) {
			continue
		}
		port := s.query.SPort
		if slices.Contains(e.config.Multihomed, port) || e.replies.covers(port) {
			continue
		}
		found = append(found, Finding{
			Code: CodeWildcardUDP, Severity: Warning, Object: fmt.Sprintf("udp %s", s.socket.addr),
			Text: fmt.Sprintf("the UDP server on port %d listens on all addresses: unless it uses IP_PKTINFO, "+
				"its answers to packets for %s can leave through another interface, with another source address", port, source),
			Cure: fmt.Sprintf("add the line reply udp %d, and run uplinks up; or bind the server to the address; if the server uses "+
				"IP_PKTINFO, add the line multihome udp %d; to find the server: ss -ulnp sport = %d", port, port, port),
		})
	}
	return found
}

// checkMultihomed finds ports that are declared as multihomed and have no UDP server.
func (e *examiner) checkMultihomed() []Finding {
	var found []Finding
	for _, port := range e.config.Multihomed {
		if e.system.udp == nil && len(e.unread) > 0 {
			return nil // the sockets are not known
		}
		if slices.ContainsFunc(e.system.udp, func(s udpSocket) bool { return s.addr.Port() == port && !s.kernel }) {
			continue
		}
		found = append(found, Finding{
			Code: CodePortUnused, Severity: Note, Object: fmt.Sprintf("udp %d", port),
			Text: fmt.Sprintf("no UDP server listens on port %d of the line multihome", port),
			Cure: fmt.Sprintf("remove %d from the line multihome, or start the server", port),
		})
	}
	return found
}

// checkUnfinished finds what a killed Install or Remove has left.
func (e *examiner) checkUnfinished() []Finding {
	steps := e.unfinished.Steps
	if len(steps) == 0 {
		return nil
	}
	return []Finding{{
		Code: CodeUnfinished, Severity: Warning, Object: e.unfinished.Object(&steps[0]),
		Text: fmt.Sprintf("a command that changes uplinks is running, or was killed: "+
			"it has left %d temporary rules and routes, which do not affect any packet", len(steps)),
		Cure: "uplinks recover (the next uplinks up or down also does this); its first step: " + e.unfinished.Command(&steps[0]),
	}}
}

// checkManagers finds programs that delete rules and routes of other programs.
func (e *examiner) checkManagers() []Finding {
	networkd := e.system.networkd
	var found []Finding
	for _, x := range []struct {
		deletes       bool
		code          Code
		what, setting string
	}{
		{networkd.rules, CodeForeignRules, "rules", "ManageForeignRoutingPolicyRules"},
		{networkd.routes, CodeForeignRoutes, "routes", "ManageForeignRoutes"},
	} {
		if networkd.running && x.deletes && len(e.facts.uplinks) > 0 {
			found = append(found, Finding{
				Code: x.code, Severity: Warning, Object: "systemd-networkd",
				Text: "systemd-networkd is running and deletes " + x.what + " of other programs when it starts and when it configures an interface",
				Cure: `mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\n` + x.setting + `=no\n' >/etc/systemd/networkd.conf.d/` + x.what +
					`.conf && systemctl restart systemd-networkd`,
			})
		}
	}
	return found
}
