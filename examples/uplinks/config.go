package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// An uplink is a line of the file.
type uplink struct {
	maintain.Uplink
	line int
	// viaFamily is the family that via names before the address. Zero: none.
	viaFamily route.Family
}

// A config is the contents of a file.
type config struct {
	name    string // of the file
	uplinks []uplink
	// shared is the default route that uplinks with a weight share, or nil if no uplink
	// has a weight.
	shared     *maintain.Default
	sharedLine int      // the line of shared, or of the first uplink with a weight
	multihomed []uint16 // ports of UDP servers that answer from the address that was asked
	reply      replyPolicy
	// expectations are the lines that begin with expect.
	expectations []expectation
	// others are the uplinks that the command line does not select.
	others []uplink
}

// noUplinks says that a file has no uplinks. The name of the file comes before it.
const noUplinks = " has no uplinks"

// isEmpty reports whether the file has no uplinks.
func (c *config) isEmpty() bool { return len(c.uplinks) == 0 }

// parseConfig parses the text of a file. The error joins the errors of all lines.
func parseConfig(file, text string) (*config, error) {
	c, err := parseWithout(file, text)
	if err == nil {
		err = setExpectedUplinks(c.expectations, c.uplinks)
	}
	return c, err
}

// parseWithout is parseConfig for a file whose expectations name uplinks of another file.
func parseWithout(file, text string) (*config, error) {
	c := &config{name: file}
	if err := checkText(c.position(1), text); err != nil {
		return c, err
	}
	index := newLineIndex()
	var errs []error
	n := 0
	for s := range strings.Lines(strings.TrimPrefix(text, byteOrderMark)) {
		n++
		s, _, _ = strings.Cut(s, "#")
		words := strings.Fields(s)
		if len(words) == 0 {
			continue
		}
		if err := c.parseLine(n, words, index); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, c.setShared())
	}
	return c, errors.Join(errs...)
}

// parseLine parses the n-th line.
func (c *config) parseLine(n int, words []string, index *lineIndex) error {
	if err := checkVisible(c.position(n), words); err != nil {
		return err
	}
	switch words[0] {
	case sharedWord:
		return c.parseShared(n, words)
	case multihomeWord:
		return c.parseMultihome(n, words)
	case replyWord:
		return c.parseReply(n, words)
	case expectWord:
		return c.parseExpect(n, words)
	}
	u, err := parseUplink(c.position(n), words)
	u.line = n
	if err == nil {
		err = c.addUplink(&u, index)
	}
	return err
}

// position returns the position of a line in the form that editors read.
func (c *config) position(line int) string { return fmt.Sprintf("%s:%d", c.name, line) }

// locateError puts the position of the line before an error about a field.
func (c *config) locateError(err error) error {
	var e *plan.FieldError
	if !errors.As(err, &e) {
		return err
	}
	line := c.sharedLine
	if e.Uplink == "" || e.Uplink == replyName {
		return fmt.Errorf("%s: %s", c.position(max(1, c.reply.line)), e.InWords())
	}
	for _, u := range c.uplinks {
		if u.String() == e.Uplink || u.Name == e.Uplink {
			line = u.line // of several lines with the name, the last is the one that conflicts
		}
	}
	return fmt.Errorf("%s: %s: %s", c.position(line), e.Uplink, e.InWords())
}

// keepOnly removes the uplinks whose name is not one of names.
func (c *config) keepOnly(names []string) {
	all := c.uplinks
	c.uplinks = nil
	for _, u := range all {
		if slices.Contains(names, u.Name) {
			c.uplinks = append(c.uplinks, u)
		} else {
			c.others = append(c.others, u)
		}
	}
	if !slices.ContainsFunc(c.uplinks, func(u uplink) bool { return u.Weight > 0 }) {
		c.shared = nil
	}
}

// parseUplink parses the words of a line. The words of the uplink come before the first
// "also", because some of them are also words of selectors: table, dev, to, pref and proto.
func parseUplink(position string, words []string) (uplink, error) {
	var u uplink
	own := words
	if i := slices.Index(words, alsoWord); i >= 0 {
		own = words[:i]
	}
	if err := u.parseOwn(iptext.Split(position, strings.Join(own, " "))); err != nil {
		return u, err
	}
	for at := len(own); at < len(words); {
		at++ // skip the word also
		end := len(words)
		if i := slices.Index(words[at:], alsoWord); i >= 0 {
			end = at + i
		}
		r, err := parseAlso(position, at, words[at:end])
		if err != nil {
			return u, err
		}
		u.Also = append(u.Also, r)
		at = end
	}
	return u, u.validate(position)
}

// parseOwn parses the words before the first "also".
func (u *uplink) parseOwn(w *iptext.Words) error {
	var err error
	if u.Name, err = w.Arg("the name of an uplink"); err != nil {
		return err
	}
	if _, ok := uplinkWords.Find(u.Name); ok {
		return w.Errorf("not a name: a line begins with the name of an uplink")
	}
	if err := checkName(w, u.Name); err != nil {
		return err
	}
	// The name must be valid in rt_tables. The number does not matter here.
	if err := new(rttables.File).Set(1, u.Name, ""); err != nil {
		return w.Errorf("%v", errors.Unwrap(err))
	}
	seen := make(map[string]bool)
	for w.More() {
		s := w.Peek()
		word, ok := uplinkWords.Find(s)
		switch {
		case ok && seen[word.Names[0]] && !isRepeatable(s):
			w.Take()
			return w.Errorf("given twice")
		case ok:
			seen[word.Names[0]] = true
		case strings.Contains(s, "="):
			w.Take()
			return w.Errorf("not a word of an uplink: write a blank, not =, between a word and its value")
		case strings.ContainsAny(s, ".:/"):
			w.Take()
			return w.Errorf("neither a word of an uplink nor a valid address here")
		}
		if err := uplinkWords.Parse(w, u, "a word of an uplink"); err != nil {
			return err
		}
	}
	if u.Interface == "" {
		_, err := w.Arg("dev")
		return err
	}
	u.setFamilyOfVia()
	return nil
}

// parseAlso parses the selectors after the word also, which is word number at of the line.
func parseAlso(position string, at int, words []string) (rule.Rule, error) {
	// Parse sets the table main if the words name no table. With "lookup 0" before the
	// words, the table is main only if the line says so.
	option := familyOption(words)
	if option == 2 {
		words = slices.Clone(words)
		words[1] = familyWord(words[1])
	}
	if err := checkSelectors(position, at, words); err != nil {
		return rule.Rule{}, err
	}
	text := strings.Join(slices.Concat(words[:option], []string{"lookup", "0"}, words[option:]), " ")
	if option == len(words) {
		return rule.Rule{}, &iptext.Error{Package: position, Pos: at + option + 1, Reason: "a selector is missing"}
	}
	r, err := rule.Parse(text, nil)
	var e *iptext.Error
	if errors.As(err, &e) {
		e.Package, e.Pos = position, e.Pos+at
		if e.Pos > at+option {
			e.Pos -= 2
		}
	}
	if err != nil {
		return rule.Rule{}, err
	}
	if option == 0 {
		r.Family = 0 // the family of the uplink
	}
	if r.Action == rule.ActionLookup {
		r.Action = 0
	}
	return r, nil
}

// familyOption returns the number of words at the beginning of a rule that set its family.
func familyOption(words []string) int {
	switch {
	case len(words) > 0 && (words[0] == "-4" || words[0] == "-6"):
		return 1
	case len(words) > 1 && words[0] == "-f":
		return 2
	}
	return 0
}

// family returns the family of the uplink's addresses. Without addresses it returns zero,
// which means both families.
func (u *uplink) family() route.Family {
	switch {
	case u.Learn != 0:
		return u.Learn
	case u.Family != 0:
		return u.Family
	case u.Gateway.Is4():
		return route.IPv4
	case len(u.Sources) > 0:
		return route.FamilyOf(u.Sources[0])
	case u.Gateway.IsValid():
		return route.IPv6
	case len(u.Routes) > 0:
		return route.FamilyOf(u.Routes[0].Addr())
	}
	return 0
}

// gateways returns the gateways of the uplink, given or learned, each once.
func (u *uplink) gateways() []string {
	var all []string
	add := func(a netip.Addr) {
		if s := a.String(); a.IsValid() && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	add(u.Gateway)
	for _, d := range u.Defaults {
		add(d.Gateway)
		for _, h := range d.Multipath {
			add(h.Gateway)
		}
	}
	return all
}

// validate returns the faults of the uplink that it has on any host.
func (u *uplink) validate(position string) error {
	f := u.family()
	for _, a := range u.Sources {
		if g := route.FamilyOf(a); g != f {
			return fmt.Errorf("%s: src: %s is %s, but the uplink is %s: write two lines", position, a, g, f)
		}
	}
	for _, p := range u.Routes {
		if g := route.FamilyOf(p.Addr()); g != f {
			return fmt.Errorf("%s: to: %s is %s, but the uplink is %s: write two lines", position, p, g, f)
		}
	}
	for _, x := range []struct {
		word     string
		prefixes []netip.Prefix
	}{{"src", u.SourcePrefixes}, {"subnet", u.Subnets}} {
		for _, p := range x.prefixes {
			if g := route.FamilyOf(p.Addr()); f != 0 && g != f {
				return fmt.Errorf("%s: %s: %s is %s, but the uplink is %s: write two lines", position, x.word, p, g, f)
			}
		}
	}
	for _, r := range u.Also {
		if f != 0 && r.Family != 0 && r.Family != f {
			return fmt.Errorf("%s: also: %s is %s, but the uplink is %s",
				position, strings.Join(selectors(r), " "), r.Family, f)
		}
	}
	if u.Learn != 0 && u.Gateway.IsValid() {
		return fmt.Errorf("%s: learn: excludes via: the gateway is either given or learned", position)
	}
	if h := u.Health; h != nil && len(h.Echo)+len(h.TCP) == 0 {
		return fmt.Errorf("%s: %s: needs ping or connect, which give the targets of the probe", position, probeWordOf(h))
	}
	var e *plan.FieldError
	if errors.As(u.Validate(), &e) {
		return fmt.Errorf("%s: %s", position, e.InWords())
	}
	return nil
}
