package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// Parse reads the text of a World. Each line is a command of ip(8) without ip and add,
// or with them:
//
//	rule add from 192.168.2.2 lookup 20 pref 1000
//	route add default via 192.168.2.1 dev eth1 table 20
//	nexthop add id 1 via 192.168.2.1 dev eth1
//	link add eth1 index 3 down type veth
//	address add 192.168.2.2/24 dev eth1
//	neighbour add 192.168.2.1 dev eth1 nud reachable
//	sysctl -w net.ipv4.conf.eth1.rp_filter=1
//
// If no address determines the family, -4 or -6 comes before the object. Parse also reads
// commands of ip in comments, and lines of the output of "ip rule". It ignores other
// comments, and blank lines. Tables, protocols and so on are numbers, or names that ip(8)
// knows without a file.
//
// The text can be short, because Parse adds what the text does not mention. For each
// family, Parse adds the kernel's default rules, unless the text has one of them. If a
// route, an address or a neighbour names an interface, Parse adds the interface, which is
// up and has a carrier. If the text has no route of the table local, Parse adds the routes
// that the kernel makes for addresses, and the addresses of lo. If the text has routes of
// the table local but no address, like the text of a [snapshot.Snapshot], Parse adds the
// addresses of these routes. With the lines "rule flush", "route flush table local" and
// "address flush", Parse adds no rules, no routes of the table local, and no addresses.
//
// An error begins with the number of the line.
func Parse(text string) (World, error) {
	p := parser{links: make(map[string]*Link)}
	p.sysctls = make(Sysctls)
	var lines []command
	number := 0
	for line := range strings.Lines(text) {
		number++
		c, ok, err := splitLine(line)
		if c.line = number; err != nil {
			return World{}, c.wrap(err)
		}
		if ok {
			lines = append(lines, c)
		}
	}
	if err := p.readLinks(lines); err != nil {
		return World{}, err
	}
	for i := range lines {
		if err := p.read(&lines[i]); err != nil {
			return World{}, lines[i].wrap(err)
		}
	}
	return p.world()
}

// A command is the command in a line of text.
type command struct {
	line   int
	option []string // -4, -6
	object string   // rule, route, nexthop, link, address, neighbour, sysctl
	verb   string
	args   []string
}

// wrap adds the number of the line to an error.
func (c *command) wrap(err error) error { return fmt.Errorf("explain: line %d: %w", c.line, err) }

// text returns the arguments with the option for the family.
func (c *command) text() string { return strings.Join(append(slices.Clone(c.option), c.args...), " ") }

// objects are the names of objects, which can be abbreviated as in ip(8).
var objects = []string{"address", "addr", "route", "rule", "link", "neighbour", "neighbor", "nexthop", "sysctl"}

// verbs are the verbs of a line.
var verbs = []string{"add", "append", "set", "flush", "-w"}

// splitLine splits a line into words. It returns false if the line has no command.
func splitLine(line string) (c command, ok bool, err error) {
	line = strings.TrimSpace(line)
	commented := strings.HasPrefix(line, "#")
	line = strings.TrimSpace(strings.TrimLeft(line, "#"))
	if line == "" || commented && !strings.HasPrefix(line, "ip ") && !strings.HasPrefix(line, "sysctl ") {
		return c, false, nil
	}
	words, err := iptext.SplitCommand(line)
	if err != nil {
		return c, false, err
	}
	if len(words) > 0 && words[0] == "ip" {
		words = words[1:]
	}
	if len(words) > 0 && (words[0] == "-4" || words[0] == "-6") {
		c.option, words = words[:1:1], words[1:]
	}
	if len(words) == 0 {
		return c, false, nil
	}
	switch full, ok := iptext.Expand(words[0], objects); {
	case ok && len(words[0]) > 1:
		c.object, words = full, words[1:]
	case strings.HasSuffix(words[0], ":"):
		c.object = "rule" // a line of "ip rule"
	default:
		return c, false, fmt.Errorf("%q is not an object of a world%s", words[0], iptext.Suggest(words[0], objects))
	}
	if c.verb = "add"; len(words) > 0 && slices.Contains(verbs, words[0]) {
		c.verb, words = words[0], words[1:]
	}
	for _, w := range words {
		if !isWord(w) && c.object != "sysctl" {
			return c, false, fmt.Errorf("%q is not a word", w)
		}
	}
	c.args = words
	return c, true, nil
}

// A parser collects what the lines of a text say.
type parser struct {
	World
	sysctls   Sysctls
	links     map[string]*Link // by name
	order     []*Link
	names     *route.Names
	noRules   [2]bool // by family: there are no default rules
	noLocal   bool    // the kernel made no routes
	noAddress bool
}

// read takes a line.
func (p *parser) read(c *command) error {
	switch c.object {
	case "rule":
		return p.readRule(c)
	case "route":
		return p.readRoute(c)
	case "nexthop":
		n, err := nexthop.Parse(c.text(), p.names)
		p.NextHops = append(p.NextHops, n)
		return err
	case "address", "addr":
		if c.verb == "flush" {
			p.noAddress = true
			return nil
		}
		a, err := parseAddress(c.args, p.names)
		p.Addresses = append(p.Addresses, a)
		return err
	case "neighbour", "neighbor":
		n, err := parseNeighbour(c.args, p.names)
		p.Neighbours = append(p.Neighbours, n)
		return err
	case "sysctl":
		return p.readSysctl(c)
	}
	return nil // links are known already
}

func (p *parser) readRule(c *command) error {
	if c.verb == "flush" {
		for i, option := range []string{"-4", "-6"} {
			p.noRules[i] = p.noRules[i] || len(c.option) == 0 || c.option[0] == option
		}
		return nil
	}
	r, err := rule.Parse(c.text(), nil)
	if err != nil {
		return err
	}
	if r.Family != route.IPv4 && r.Family != route.IPv6 {
		return fmt.Errorf("a rule of family %s", r.Family)
	}
	p.Rules = append(p.Rules, r)
	return nil
}

func (p *parser) readRoute(c *command) error {
	if c.verb == "flush" {
		if c.text() != "table local" {
			return fmt.Errorf("only \"route flush table local\" is known")
		}
		p.noLocal = true
		return nil
	}
	r, err := route.Parse(c.text(), p.names)
	if err != nil {
		return err
	}
	if r.Family != route.IPv4 && r.Family != route.IPv6 {
		return fmt.Errorf("a route of family %s", r.Family)
	}
	p.Routes = append(p.Routes, r)
	return nil
}

func (p *parser) readSysctl(c *command) error {
	name, value, ok := strings.Cut(strings.Join(c.args, " "), "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		return fmt.Errorf("want a setting, =, and its value, such as net.ipv4.ip_forward=1")
	}
	if _, err := strconv.Atoi(value); err != nil && value != Unknown {
		return fmt.Errorf("%q is not the value of a setting: want a number", value)
	}
	p.sysctls.Set(name, value)
	return nil
}

// world returns what was read, with what a new network namespace has besides.
func (p *parser) world() (World, error) {
	w := p.World
	w.Sysctls = p.sysctls
	for _, l := range p.order {
		w.Links = append(w.Links, *l)
	}
	w.Rules = nil
	for i, f := range []route.Family{route.IPv4, route.IPv6} {
		w.Rules = append(w.Rules, p.rulesOf(f, !p.noRules[i])...)
	}
	local := slices.ContainsFunc(w.Routes, func(r route.Route) bool { return r.Table == rttables.Local })
	switch {
	case !local && !p.noLocal:
		w.addImplied()
	case len(w.Addresses) == 0 && !p.noAddress:
		w.deriveAddresses()
	}
	return w.Canonical(), nil
}

// rulesOf returns the rules of a family in the kernel's order. One without a priority
// comes before the second rule, as in the kernel.
func (p *parser) rulesOf(f route.Family, defaults bool) []rule.Rule {
	var given []rule.Rule
	for _, r := range p.Rules {
		if r.Family == f {
			given = append(given, r)
			c := r.Canonical()
			defaults = defaults && !(r.Priority.IsSet() && isDefault(&c))
		}
	}
	var rules []rule.Rule
	if defaults {
		rules = defaultRules(f)
	}
	// The two lowest priorities, of which the second decides about a rule without one.
	first, second := uint32(math.MaxUint32), uint32(math.MaxUint32)
	add := func(r rule.Rule) {
		priority := r.Priority.Or(0)
		first, second = min(first, priority), min(second, max(first, priority))
		rules = append(rules, r)
	}
	preset := rules
	rules = make([]rule.Rule, 0, len(preset)+len(given))
	for _, r := range preset {
		add(r)
	}
	for _, r := range given {
		if !r.Priority.IsSet() {
			r.Priority = rule.Priority(0)
			if len(rules) > 1 {
				r.Priority = rule.Priority(max(second, 1) - 1)
			}
		}
		add(r)
	}
	slices.SortStableFunc(rules, func(a, b rule.Rule) int { return cmp.Compare(a.Priority.Or(0), b.Priority.Or(0)) })
	return rules
}

// denials returns the lines that say that there is nothing where Parse would add
// something.
func (w *World) denials() (lines []string) {
	for i, f := range []route.Family{route.IPv4, route.IPv6} {
		if !slices.ContainsFunc(w.Rules, func(r rule.Rule) bool { return r.Family == f && isDefault(&r) }) {
			lines = append(lines, "ip "+[]string{"-4", "-6"}[i]+" rule flush")
		}
	}
	if !slices.ContainsFunc(w.Routes, func(r route.Route) bool { return r.Table == rttables.Local }) {
		lines = append(lines, "ip route flush table local")
	}
	if len(w.Addresses) == 0 {
		lines = append(lines, "ip address flush")
	}
	return lines
}
