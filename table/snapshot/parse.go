package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// Parse reads the text of a Snapshot. Each line is a command, "ip nexthop add", "ip
// route add", "ip route append" or "ip rule add", with -4 or -6 after ip if no address
// tells the family. Parse also reads commands in comments. A rule must have a priority.
// Parse ignores other comments and blank lines. Tables, protocols and the like are
// numbers, or names that ip(8) knows without a file.
//
// The indexes of the interfaces are arbitrary, because the text has only names. The
// text of an error begins with the number of the line.
func Parse(text string) (Snapshot, error) {
	var commands []command
	number := 0
	for line := range strings.Lines(text) {
		number++
		c := command{line: number}
		ok, err := c.split(line)
		if err != nil {
			return Snapshot{}, c.wrap(err)
		}
		if ok {
			commands = append(commands, c)
		}
	}
	s := Snapshot{Links: linksOf(commands)}
	names := &route.Names{Links: s.Links}
	for _, c := range commands {
		if err := s.parse(&c, names); err != nil {
			return Snapshot{}, c.wrap(err)
		}
	}
	s.normalize()
	return s, nil
}

// A command is the command in a line of text.
type command struct {
	line   int
	object string // nexthop, route or rule
	args   []string
}

// wrap adds the number of the line to an error.
func (c *command) wrap(err error) error { return fmt.Errorf("snapshot: line %d: %w", c.line, err) }

// split splits a line into words. It returns false if the line has no command.
func (c *command) split(line string) (bool, error) {
	line = strings.TrimSpace(line)
	commented := strings.HasPrefix(line, "#")
	line = strings.TrimSpace(strings.TrimLeft(line, "#"))
	if line == "" || commented && line != "ip" && !strings.HasPrefix(line, "ip ") {
		return false, nil
	}
	words, err := iptext.SplitCommand(line)
	if err != nil {
		return false, err
	}
	if len(words) == 0 || words[0] != "ip" {
		return false, fmt.Errorf("not a command of ip(8)")
	}
	words = words[1:]
	var option []string
	if len(words) > 0 && (words[0] == "-4" || words[0] == "-6") {
		option, words = words[:1:1], words[1:]
	}
	if commented && isOther(words) {
		return false, nil
	}
	if len(words) < 3 {
		return false, fmt.Errorf("want ip, then rule, route or nexthop, then add or append, and the arguments")
	}
	c.object = words[0]
	switch verb := words[1]; {
	case verb == "add" || verb == "append" && c.object == "route":
	default:
		return false, fmt.Errorf("%q is not add, or append for a route", verb)
	}
	c.args = append(option, words[2:]...)
	// The parsers of objects split the arguments at blanks again.
	for _, w := range c.args {
		if !isWord(w) {
			return false, fmt.Errorf("%q is not a word", w)
		}
	}
	return true, nil
}

// isOther reports whether words are of a command that a comment can have and that is not
// about the objects of a Snapshot: the text of an explain.World has such comments.
func isOther(words []string) bool {
	switch {
	case len(words) == 0:
		return false
	case slices.Contains([]string{"link", "address", "neighbour"}, words[0]):
		return true
	}
	return len(words) > 1 && words[1] == "flush"
}

// parse adds the object of a command to s.
func (s *Snapshot) parse(c *command, names *route.Names) error {
	args := strings.Join(c.args, " ")
	switch c.object {
	case "nexthop":
		n, err := nexthop.Parse(args, names)
		if err != nil {
			return err
		}
		s.NextHops = append(s.NextHops, n)
	case "route":
		r, err := route.Parse(args, names)
		if err != nil {
			return err
		}
		if r.Family != route.IPv4 && r.Family != route.IPv6 {
			return fmt.Errorf("a snapshot has no routes of family %s", r.Family)
		}
		s.Routes = append(s.Routes, r)
	case "rule":
		r, err := rule.Parse(args, nil)
		switch {
		case err != nil:
			return err
		case !r.Priority.IsSet():
			return fmt.Errorf("a rule needs pref")
		case r.Family != route.IPv4 && r.Family != route.IPv6:
			return fmt.Errorf("a snapshot has no rules of family %s", r.Family)
		}
		s.Rules = append(s.Rules, r)
	default:
		return fmt.Errorf("%q is not rule, route or nexthop", c.object)
	}
	return nil
}

// linksOf returns the interfaces that commands name, with an index for each.
func linksOf(commands []command) *route.Links {
	var found []string
	for _, c := range commands {
		if c.object == "rule" {
			continue // rules refer to interfaces by name
		}
		for i, w := range c.args {
			if i > 0 && (c.args[i-1] == "dev" || c.args[i-1] == "oif" || c.args[i-1] == "iif") {
				found = append(found, w)
			}
		}
	}
	slices.Sort(found)
	names := make(map[uint32]string)
	for i, name := range slices.Compact(found) {
		names[uint32(i+1)] = name
	}
	return route.MakeLinks(names)
}
