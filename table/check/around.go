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

// checkBypasses finds destinations in LANs that packets from the uplink's addresses,
// or those that Also selects, reach by the gateway instead. One finding for a rule of
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
		by := "by " + u.spec.Interface
		if gateway := e.answers[b.query].Gateway; gateway.IsValid() {
			by = "to the gateway " + gateway.String()
		}
		r := &b.lan.route
		f := Finding{Code: CodeDetour, Severity: Warning}
		which := "from " + b.source.String()
		f.Object = "route " + r.Text(&route.Names{Links: links})
		f.Cure = "main-first in the uplink's line, with which the routes of main other than its default come first, and " + u.up()
		if u.spec.MainFirst {
			f.Cure = u.up() + ": the rule of main-first is not there"
		}
		if b.also != nil {
			reported[b.also] = true
			words := selectors(*b.also)
			which = "that the rule " + words + " selects"
			f.Object = "rule " + words
			f.Cure = u.up() + ": the rule that looks in main first is not there"
			if form.StandsAlone(b.also) {
				if first == nil {
					first = firstAlso(u)
				}
				f.Cure = iptext.Command(r.Family, "rule", "add", fmt.Sprintf(
					"%s lookup main suppress_prefixlength %d pref %d", words, form.NoDefault(r.Family).Or(0), max(first[r.Family], 1)-1))
			}
		}
		f.Text = fmt.Sprintf("packets %s to %s, to which main knows a way by %s, go %s",
			which, r.Dst, links.Name(r.OIF), by)
		found = append(found, f)
	}
	return found
}

// isOnLink reports whether the interface of an uplink is in the same LAN as a route of main
// leads to by another interface, or in a smaller one around the destination: the packets
// then are where they should be, though by the uplink's interface.
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

// selectors returns the words of a rule of Also without those that the uplink fills in.
func selectors(r rule.Rule) string {
	r.Priority, r.Protocol, r.Table, r.Action = route.Opt[uint32]{}, 0, 0, rule.ActionLookup
	return strings.TrimSuffix(r.Args(nil), " lookup 0")
}

// strictFilter is the value of rp_filter with which the kernel drops a packet if an
// answer to it would leave by another interface.
const strictFilter = 1

// checkReversePath finds what strict reverse path filtering drops: what comes in by the
// uplink and would not be answered by it. What comes in for a source of the uplink
// passes. So does what a rule by incoming interface forwards: the kernel looks for the
// way back with that interface. But what comes in has no mark, and if it had one, the
// filter would look at the mark only with src_valid_mark.
func (e *examiner) checkReversePath(u *subject) []Finding {
	dev := u.spec.Interface
	conf, all := e.system.conf[dev], e.system.conf["all"]
	if max(conf.reversePath, all.reversePath) != strictFilter || !u.inFamily(route.IPv4) {
		return nil
	}
	loose := "sysctl -w net/ipv4/conf/" + iptext.Quote(dev) + "/rp_filter=2"
	var found []Finding
	for _, a := range u.incoming {
		if !e.leaves(toInternet(a), u.index) {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning, Object: a.String(),
				Text: fmt.Sprintf("rp_filter of %s is strict, and packets from %s leave by another way: "+
					"what comes in by %s for it is dropped", dev, a, dev),
				Cure: "src in the uplink's line, with this address as well; or " + loose,
			})
		}
	}
	marks := max(conf.sourceMark, all.sourceMark) != 0
	for _, r := range u.spec.Also {
		if r.FwMark.IsSet() && !marks {
			found = append(found, Finding{
				Code: CodeReversePath, Severity: Warning,
				Object: "rule " + selectors(r),
				Text: fmt.Sprintf("rp_filter of %s is strict, and does not see marks: answers that come in by %s "+
					"to what the rule sends there, from other addresses than the uplink's, are dropped", dev, dev),
				Cure: "sysctl -w net.ipv4.conf.all.src_valid_mark=1, and mark what comes in by " + dev + " as well; or " + loose,
			})
		}
	}
	return found
}

// checkServers finds UDP servers that are reached by the uplink and answer by another
// way: the route of an answer chooses its source, and before that no rule can match the
// source.
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
		if slices.Contains(e.config.Multihomed, port) {
			continue
		}
		found = append(found, Finding{
			Code: CodeWildcardUDP, Severity: Warning, Object: fmt.Sprintf("udp %s", s.socket.addr),
			Text: fmt.Sprintf("the UDP server on port %d listens on every address: unless it uses IP_PKTINFO, "+
				"it answers what comes in for %s by another way", port, source),
			Cure: fmt.Sprintf("bind it to the address, or also ipproto udp sport %d at the end of the uplink's line; if it uses "+
				"IP_PKTINFO, the line multihome udp %d; who it is: ss -ulnp sport = %d", port, port, port),
		})
	}
	return found
}

// checkMultihomed finds ports that are said to have a UDP server and have none.
func (e *examiner) checkMultihomed() []Finding {
	var found []Finding
	for _, port := range e.config.Multihomed {
		if e.system.udp == nil && len(e.unread) > 0 {
			return nil // nobody knows
		}
		if slices.ContainsFunc(e.system.udp, func(s udpSocket) bool { return s.addr.Port() == port && !s.kernel }) {
			continue
		}
		found = append(found, Finding{
			Code: CodePortUnused, Severity: Note, Object: fmt.Sprintf("udp %d", port),
			Text: fmt.Sprintf("no UDP server listens on port %d, which multihome says to answer from the address that was asked", port),
			Cure: fmt.Sprintf("take %d out of the line multihome, or start the server", port),
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
		Text: fmt.Sprintf("a change of uplinks is being made by another process, or was killed: "+
			"%d objects are left over, of which no packet takes notice", len(steps)),
		Cure: "uplinks recover, which the next up or down begins with; its first step: " + e.unfinished.Command(&steps[0]),
	}}
}

// checkManagers finds programs that delete what they do not know.
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
				Text: "systemd-networkd runs, and deletes " + x.what + " of others whenever it starts or configures an interface",
				Cure: `mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\n` + x.setting + `=no\n' >/etc/systemd/networkd.conf.d/` + x.what + `.conf`,
			})
		}
	}
	return found
}
