package transition_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// A world is a host as text has it.
type world struct {
	links  map[uint32]string
	addrs  []host.Address
	rules  []rule.Rule
	routes []route.Route
	files  *rttables.Names
	ours   map[rttables.ID]string // names in lines of ours
}

// baseWorld is the host of the scenarios: two uplinks, a LAN and a tunnel. Cases begin
// with it, and add to it.
const baseWorld = `
link 12 u1
link 13 u2
link 14 lan
link 15 tun
addr 10.1.0.2/24 dev u1
addr 10.2.0.2/24 dev u2
addr 172.16.5.1/24 dev lan
addr 2001:db8:1::2/64 dev u1
addr 2001:db8:2::2/64 dev u2
addr fd00:5::1/64 dev lan
ip rule add from all lookup local pref 0 proto kernel
ip rule add from all lookup main pref 32766 proto kernel
ip rule add from all lookup default pref 32767 proto kernel
ip -6 rule add from all lookup local pref 0 proto kernel
ip -6 rule add from all lookup main pref 32766 proto kernel
ip route add default via 10.1.0.1 dev u1
ip route add 10.1.0.0/24 dev u1 proto kernel scope link src 10.1.0.2
ip route add 10.2.0.0/24 dev u2 proto kernel scope link src 10.2.0.2
ip route add 172.16.5.0/24 dev lan proto kernel scope link src 172.16.5.1
ip route add 203.0.113.0/24 via 172.16.5.9 dev lan
ip -6 route add default via 2001:db8:1::1 dev u1
ip -6 route add 2001:db8:1::/64 dev u1 proto kernel metric 256
ip -6 route add 2001:db8:2::/64 dev u2 proto kernel metric 256
ip -6 route add fd00:5::/64 dev lan proto kernel metric 256
`

func newWorld(t testing.TB) *world {
	w := &world{links: make(map[uint32]string), ours: make(map[rttables.ID]string)}
	w.add(t, baseWorld)
	return w
}

func (w *world) names() *route.Names {
	return &route.Names{Links: route.MakeLinks(w.links), Files: w.files}
}

// add adds what lines of text say.
func (w *world) add(t testing.TB, text string) {
	t.Helper()
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" {
			continue
		}
		if err := w.addLine(strings.Fields(line)); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
}

func (w *world) addLine(words []string) error {
	switch words[0] {
	case "link": // INDEX NAME
		index, err := strconv.ParseUint(words[1], 10, 32)
		w.links[uint32(index)] = words[2]
		return err
	case "no-link": // NAME: it is gone, with its addresses
		return w.deleteLink(words[1])
	case "no-addr": // ADDRESS: it is gone
		a, err := netip.ParseAddr(words[1])
		w.addrs = slices.DeleteFunc(w.addrs, func(x host.Address) bool { return x.Addr == a })
		return err
	case "addr": // ADDRESS/LENGTH dev NAME [scope link] [tentative]
		return w.addAddress(words)
	case "name": // NUMBER NAME [foreign]
		id, err := rttables.ParseID(words[1])
		w.files = w.files.With(id, words[2])
		if len(words) == 3 {
			w.ours[id] = words[2]
		}
		return err
	case "ip":
		return w.addCommand(words[1:])
	}
	return fmt.Errorf("want link, no-link, addr, no-addr, name or ip")
}

func (w *world) deleteLink(name string) error {
	index, ok := w.names().Links.Index(name)
	if !ok {
		return fmt.Errorf("no link %s", name)
	}
	delete(w.links, index)
	w.addrs = slices.DeleteFunc(w.addrs, func(a host.Address) bool { return a.Index == index })
	w.routes = slices.DeleteFunc(w.routes, func(r route.Route) bool { return r.OIF == index })
	return nil
}

func (w *world) addAddress(words []string) error {
	p, err := netip.ParsePrefix(words[1])
	if err != nil {
		return err
	}
	index, ok := w.names().Links.Index(words[3])
	if !ok {
		return fmt.Errorf("no link %s", words[3])
	}
	rest := words[4:]
	a := host.Address{Index: index, Addr: p.Addr(), Global: !slices.Contains(rest, "link"), Tentative: slices.Contains(rest, "tentative")}
	if !p.IsSingleIP() {
		a.Subnet = p.Masked()
	}
	w.addrs = append(w.addrs, a)
	return nil
}

// addCommand does what the words of ip(8) say: it adds a route, or adds or deletes a
// rule.
func (w *world) addCommand(words []string) error {
	var option []string
	if words[0] == "-6" {
		option, words = words[:1], words[1:]
	}
	args := strings.Join(slices.Concat(option, words[2:]), " ")
	switch words[0] + " " + words[1] {
	case "rule add":
		r, err := rule.Parse(args, w.names())
		if err == nil {
			w.rules = append(w.rules, r.Canonical())
			slices.SortStableFunc(w.rules, host.ComparePriority)
		}
		return err
	case "rule del":
		r, err := rule.Parse(args, w.names())
		i := slices.Index(w.rules, r.Canonical())
		if err == nil && i < 0 {
			return fmt.Errorf("no such rule")
		}
		if err == nil {
			w.rules = slices.Delete(w.rules, i, i+1)
		}
		return err
	case "route add":
		r, err := route.Parse(args, w.names())
		if err == nil {
			w.routes = append(w.routes, r.Canonical())
		}
		return err
	}
	return fmt.Errorf("want rule add, rule del or route add")
}

// sources returns all addresses of the host, and those that rules alone still have.
func (w *world) sources() []netip.Addr {
	var all []netip.Addr
	for _, a := range w.addrs {
		all = append(all, a.Addr)
	}
	for _, r := range w.rules {
		if a := r.From.Addr(); r.From.IsSingleIP() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// after returns the state after a plan, with the names that the plan registers.
func (w *world) after(last *host.State, p plan.Plan) *host.State {
	for i := range p.Steps {
		switch s := &p.Steps[i]; s.Op {
		case plan.AddName:
			w.files, w.ours[s.Table] = w.files.With(s.Table, s.Name), s.Name
		case plan.DeleteName:
			w.deleteName(s.Table)
		}
	}
	return last.WithNames(host.MakeNames(last.Links, w.files, w.isOurs))
}

func (w *world) deleteName(id rttables.ID) {
	old := w.files
	w.files = nil
	for other, name := range old.All() {
		if other != id {
			w.files = w.files.With(other, name)
		}
	}
	delete(w.ours, id)
}

// isOurs reports whether a line of ours gives a table its name.
func (w *world) isOurs(id rttables.ID, name string) bool { return w.ours[id] == name }

// state returns the world as the planner gets it.
func (w *world) state() *host.State {
	links := route.MakeLinks(w.links)
	return host.Make(host.MakeNames(links, w.files, w.isOurs), links, w.addrs, w.rules, w.routes)
}
