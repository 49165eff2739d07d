package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// An uplink is a line of the file.
type uplink struct {
	table.MaintainedUplink
	line int
}

// A config is a file.
type config struct {
	name    string
	uplinks []uplink
	// shared is the default route that uplinks with a weight share. Nil: none has one.
	shared     *table.SharedDefault
	sharedLine int // that says so
}

// parseConfig reads the text of a file. The error joins those of all its lines.
func parseConfig(file, text string) (*config, error) {
	c := &config{name: file}
	var errs []error
	n := 0
	for s := range strings.Lines(text) {
		n++
		s, _, _ = strings.Cut(s, "#")
		words := strings.Fields(s)
		if len(words) == 0 {
			continue
		}
		if err := c.parseLine(n, words); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		errs = append(errs, c.share())
	}
	return c, errors.Join(errs...)
}

// parseLine reads the n-th line.
func (c *config) parseLine(n int, words []string) error {
	where := c.where(n)
	if words[0] == sharedWord {
		return c.parseShared(n, words)
	}
	u, err := parseUplink(where, words)
	u.line = n
	if err == nil {
		err = u.join(where, c.uplinks)
	}
	if err == nil {
		c.uplinks = append(c.uplinks, u)
	}
	return err
}

// where is a line as editors read it.
func (c *config) where(line int) string { return fmt.Sprintf("%s:%d", c.name, line) }

// place is an error about a field with the line that it is about.
func (c *config) place(err error) error {
	var e *table.FieldError
	if !errors.As(err, &e) {
		return err
	}
	line := c.sharedLine
	for _, u := range c.uplinks {
		if u.String() == e.Uplink || u.Name == e.Uplink {
			line = u.line // the last of its name: it is that which does not fit the others
		}
	}
	return fmt.Errorf("%s: %s: %s: %s", c.where(line), e.Uplink, wordOf(e.Field), e.Reason)
}

// keepOnly leaves the uplinks that have one of the names.
func (c *config) keepOnly(names []string) {
	c.uplinks = slices.DeleteFunc(c.uplinks, func(u uplink) bool { return !slices.Contains(names, u.Name) })
	if !slices.ContainsFunc(c.uplinks, func(u uplink) bool { return u.Weight > 0 }) {
		c.shared = nil
	}
}

// parseUplink reads the words of a line. Its own words come first, since
// selectors have some of the same: table, dev, to, pref and proto.
func parseUplink(where string, words []string) (uplink, error) {
	var u uplink
	own := words
	if i := slices.Index(words, alsoWord); i >= 0 {
		own = words[:i]
	}
	if err := u.parseOwn(iptext.Split(where, strings.Join(own, " "))); err != nil {
		return u, err
	}
	for at := len(own); at < len(words); {
		at++ // the word also
		end := len(words)
		if i := slices.Index(words[at:], alsoWord); i >= 0 {
			end = at + i
		}
		r, err := parseAlso(where, at, words[at:end])
		if err != nil {
			return u, err
		}
		u.Also = append(u.Also, r)
		at = end
	}
	return u, u.check(where)
}

// parseOwn reads the words of the uplink itself.
func (u *uplink) parseOwn(w *iptext.Words) error {
	var err error
	if u.Name, err = w.Arg("the name of an uplink"); err != nil {
		return err
	}
	if _, ok := uplinkWords.Find(u.Name); ok {
		return w.Errorf("not a name: a line begins with the name of an uplink")
	}
	// The name is to be registered for the table: any number will do.
	if err := new(rttables.File).Set(1, u.Name, ""); err != nil {
		return w.Errorf("%v", errors.Unwrap(err))
	}
	seen := make(map[string]bool)
	for w.More() {
		s := w.Peek()
		word, ok := uplinkWords.Find(s)
		switch {
		case ok && seen[word.Names[0]] && !repeatable(s):
			w.Take()
			return w.Errorf("said twice")
		case ok:
			seen[word.Names[0]] = true
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
	return nil
}

// parseAlso reads the selectors that follow the word also, which is the at-th
// of the line.
func parseAlso(where string, at int, words []string) (rule.Rule, error) {
	// Parse fills in the table main where no word says one. With a table said
	// before all others, and it is none, main is left only if it was written.
	option := familyOption(words)
	text := strings.Join(slices.Concat(words[:option], []string{"lookup", "0"}, words[option:]), " ")
	if option == len(words) {
		return rule.Rule{}, &iptext.Error{Package: where, Pos: at + option + 1, Reason: "a selector is missing"}
	}
	r, err := rule.Parse(text, nil)
	var e *iptext.Error
	if errors.As(err, &e) {
		e.Package, e.Pos = where, e.Pos+at
		if e.Pos > at+option {
			e.Pos -= 2
		}
	}
	if err != nil {
		return rule.Rule{}, err
	}
	if option == 0 {
		r.Family = 0 // the uplink's
	}
	if r.Action == rule.ActionLookup {
		r.Action = 0
	}
	return r, nil
}

// familyOption is how many words at the beginning of a rule say its family.
func familyOption(words []string) int {
	switch {
	case len(words) > 0 && (words[0] == "-4" || words[0] == "-6"):
		return 1
	case len(words) > 1 && words[0] == "-f":
		return 2
	}
	return 0
}

// join checks u against the lines before it, and shares the table with those of
// the same name.
func (u *uplink) join(where string, all []uplink) error {
	for i := range all {
		o := &all[i]
		same := o.Name == u.Name
		f, g := u.family(), o.family()
		switch {
		case same && (f == g || f == 0 || g == 0):
			return fmt.Errorf("%s: %s is on line %d already, with the same family", where, u.Name, o.line)
		case same && u.Table != 0 && o.Table != 0 && u.Table != o.Table:
			return fmt.Errorf("%s: table %d: %s has table %d on line %d",
				where, uint32(u.Table), u.Name, uint32(o.Table), o.line)
		case !same && u.Table != 0 && u.Table == o.Table:
			return fmt.Errorf("%s: table %d is that of %s on line %d", where, uint32(u.Table), o.Name, o.line)
		case same && u.Table == 0:
			u.Table = o.Table
		case same:
			o.Table = u.Table
		}
		if err := u.beside(where, o); err != nil {
			return err
		}
	}
	return nil
}

// beside refuses sources that another line has.
func (u *uplink) beside(where string, o *uplink) error {
	f, g := u.family(), o.family()
	if u.Interface == o.Interface && len(u.Sources) == 0 && len(o.Sources) == 0 && (f == g || f == 0 || g == 0) {
		return fmt.Errorf("%s: src: is missing, and so it is on line %d: both would have all addresses of %s",
			where, o.line, u.Interface)
	}
	for _, a := range u.Sources {
		if slices.Contains(o.Sources, a) {
			return fmt.Errorf("%s: src: %s is that of %s on line %d", where, a, o.Name, o.line)
		}
	}
	return nil
}

// family is that of the uplink's addresses; zero, for both, if there are none.
func (u *uplink) family() route.Family {
	switch {
	case u.Learn != 0:
		return u.Learn
	case u.Gateway.IsValid():
		return route.FamilyOf(u.Gateway)
	case len(u.Sources) > 0:
		return route.FamilyOf(u.Sources[0])
	case len(u.Routes) > 0:
		return route.FamilyOf(u.Routes[0].Addr())
	}
	return 0
}

// check finds what is wrong with an uplink whatever the host is like.
func (u *uplink) check(where string) error {
	f := u.family()
	for _, a := range u.Sources {
		if g := route.FamilyOf(a); g != f {
			return fmt.Errorf("%s: src: %s is of %s, and the uplink of %s: they take two lines", where, a, g, f)
		}
	}
	for _, p := range u.Routes {
		if g := route.FamilyOf(p.Addr()); g != f {
			return fmt.Errorf("%s: to: %s is of %s, and the uplink of %s: they take two lines", where, p, g, f)
		}
	}
	for _, r := range u.Also {
		if f != 0 && r.Family != 0 && r.Family != f {
			return fmt.Errorf("%s: also: %s is of %s, and the uplink of %s",
				where, strings.Join(selectors(r), " "), r.Family, f)
		}
	}
	if u.Learn != 0 && u.Gateway.IsValid() {
		return fmt.Errorf("%s: learn: the gateway is said already, %s", where, u.Gateway)
	}
	if h := u.Health; h != nil && len(h.Echo)+len(h.TCP) == 0 {
		return fmt.Errorf("%s: there is nothing to probe: ping or connect says what", where)
	}
	var e *table.FieldError
	if errors.As(u.Validate(), &e) {
		return fmt.Errorf("%s: %s: %s", where, wordOf(e.Field), e.Reason)
	}
	return nil
}
