package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// String is the commands of ip(8) that make what s has, one a line, for a
// namespace with the same interfaces and addresses. What the kernel makes by
// itself is there as comments: it comes with the namespace, its interfaces and
// their addresses. Words are quoted for a shell where they
// have to be. [ParseSnapshot] gives s back, comments included.
func (s Snapshot) String() string {
	var b strings.Builder
	names := s.names()
	for _, n := range s.NextHops {
		b.WriteString(nextHopCommand("add", n, names) + "\n")
	}
	for i, r := range s.Routes {
		verb := "add"
		if i > 0 && placeOf(&r) == placeOf(&s.Routes[i-1]) {
			verb = "append"
		}
		b.WriteString(comment(kernelMadeRoute(&r)) + routeCommand(verb, r, names) + "\n")
	}
	for _, r := range s.Rules {
		b.WriteString(comment(kernelMadeRule(&r)) + ruleCommand("add", r) + "\n")
	}
	return b.String()
}

// MarshalText returns what String does.
func (s Snapshot) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String prints, as [ParseSnapshot] does.
func (s *Snapshot) UnmarshalText(text []byte) error {
	got, err := ParseSnapshot(string(text))
	if err == nil {
		*s = got
	}
	return err
}

const kernelComment = "# "

func comment(kernelMade bool) string {
	if kernelMade {
		return kernelComment
	}
	return ""
}

func nextHopCommand(verb string, n nexthop.Object, names *route.Names) string {
	return command(n.Family, "nexthop", verb, n.Text(names))
}

func routeCommand(verb string, r route.Route, names *route.Names) string {
	return command(r.Family, "route", verb, r.Text(names))
}

func ruleCommand(verb string, r rule.Rule) string {
	return command(r.Family, "rule", verb, r.Args(nil))
}

// command is one of ip(8). The arguments begin with the family where they do
// not tell it otherwise, which ip(8) takes before the object.
func command(f route.Family, object, verb, args string) string {
	words := []string{"ip"}
	option := iptext.FamilyOption(f)
	if f == route.IPv6 {
		words = append(words, option...)
	}
	fields := strings.Fields(args)
	if len(fields) >= len(option) && slices.Equal(fields[:len(option)], option) {
		fields = fields[len(option):]
	}
	words = append(words, object, verb)
	for _, f := range fields {
		words = append(words, quote(f))
	}
	return strings.Join(words, " ")
}

// plainBytes are those that a shell leaves as they are.
const plainBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+="

// quote is a word for a shell.
func quote(word string) string {
	if word != "" && strings.Trim(word, plainBytes) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// unquote splits a line into words, as a shell does those that quote made.
func unquote(line string) (words []string, err error) {
	word, open, quoted := "", false, false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == '\'':
			open, quoted = true, !quoted
		case quoted:
			word += line[i : i+1]
		case b == '\\' && i+1 < len(line):
			i++
			word, open = word+line[i:i+1], true
		case b == ' ' || b == '\t' || b == '\r':
			if open {
				words = append(words, word)
			}
			word, open = "", false
		default:
			word, open = word+line[i:i+1], true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open {
		words = append(words, word)
	}
	return words, nil
}

// ParseSnapshot reads the text of a snapshot: lines with the commands "ip
// nexthop add", "ip route add" or append, and "ip rule add", with -4 or -6 after
// ip where no address tells, commented out or not. A rule has to have its
// priority. Other comments and blank lines do not count. Tables, protocols and
// the like are numbers, or names that need no file.
//
// Interfaces get indexes that are not those of any host: their names count.
// An error begins with the number of the line.
func ParseSnapshot(text string) (Snapshot, error) {
	var lines []snapshotLine
	number := 0
	for line := range strings.Lines(text) {
		number++
		l := snapshotLine{number: number}
		ok, err := l.split(line)
		if err != nil {
			return Snapshot{}, l.fail(err)
		}
		if ok {
			lines = append(lines, l)
		}
	}
	s := Snapshot{Links: linksOf(lines)}
	for _, l := range lines {
		if err := s.parse(&l); err != nil {
			return Snapshot{}, l.fail(err)
		}
	}
	s.normalize()
	return s, nil
}

// A snapshotLine is the command in a line.
type snapshotLine struct {
	number int
	object string // nexthop, route or rule
	args   []string
}

func (l *snapshotLine) fail(err error) error {
	return fmt.Errorf("table: snapshot: line %d: %w", l.number, err)
}

// split reads a line up to the verb. It reports whether there is an object.
func (l *snapshotLine) split(line string) (bool, error) {
	line = strings.TrimSpace(line)
	commented := strings.HasPrefix(line, "#")
	line = strings.TrimSpace(strings.TrimLeft(line, "#"))
	if line == "" || commented && line != "ip" && !strings.HasPrefix(line, "ip ") {
		return false, nil
	}
	words, err := unquote(line)
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
	if len(words) < 3 {
		return false, fmt.Errorf("want ip, an object, a verb and its arguments")
	}
	l.object = words[0]
	switch verb := words[1]; {
	case verb == "add" || verb == "append" && l.object == "route":
	default:
		return false, fmt.Errorf("%q is not a verb of a snapshot", verb)
	}
	l.args = append(option, words[2:]...)
	// The parsers split at blanks again.
	for _, w := range l.args {
		if !printable(w) {
			return false, fmt.Errorf("%q is not a word", w)
		}
	}
	return true, nil
}

// parse reads the object of a line.
func (s *Snapshot) parse(l *snapshotLine) error {
	args := strings.Join(l.args, " ")
	switch l.object {
	case "nexthop":
		n, err := nexthop.Parse(args, s.names())
		if err != nil {
			return err
		}
		s.NextHops = append(s.NextHops, n)
	case "route":
		r, err := route.Parse(args, s.names())
		if err != nil {
			return err
		}
		if r.Family != route.IPv4 && r.Family != route.IPv6 {
			return fmt.Errorf("a route of family %s", r.Family)
		}
		s.Routes = append(s.Routes, r)
	case "rule":
		r, err := rule.Parse(args, nil)
		switch {
		case err != nil:
			return err
		case !r.Priority.IsSet():
			return fmt.Errorf("a rule without pref")
		case r.Family != route.IPv4 && r.Family != route.IPv6:
			return fmt.Errorf("a rule of family %s", r.Family)
		}
		s.Rules = append(s.Rules, r)
	default:
		return fmt.Errorf("%q is not an object of a snapshot", l.object)
	}
	return nil
}

// linksOf gives an index to each interface that the lines name.
func linksOf(lines []snapshotLine) *route.Links {
	var found []string
	for _, l := range lines {
		if l.object == "rule" {
			continue // has names
		}
		for i, w := range l.args {
			if i > 0 && (l.args[i-1] == "dev" || l.args[i-1] == "oif" || l.args[i-1] == "iif") {
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
