package explain

import (
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// readLinks reads the interfaces: those that have a line, lo, and those that routes,
// addresses and neighbours name.
func (p *parser) readLinks(lines []command) error {
	for i := range lines {
		if c := &lines[i]; c.object == "link" {
			if err := p.readLink(c); err != nil {
				return c.wrap(err)
			}
		}
	}
	p.link(loName)
	for _, c := range lines {
		if c.object == "rule" || c.object == "link" || c.object == "sysctl" {
			continue
		}
		for i, w := range c.args {
			if i > 0 && slices.Contains([]string{"dev", "oif", "iif"}, c.args[i-1]) {
				p.link(w)
			}
		}
	}
	p.number()
	names := make(map[uint32]string)
	for _, l := range p.order {
		if other, ok := names[l.Index]; ok {
			return fmt.Errorf("explain: the interfaces %s and %s have the same index, %d", other, l.Name, l.Index)
		}
		names[l.Index] = l.Name
	}
	p.names = &route.Names{Links: route.MakeLinks(names)}
	return p.readMasters(lines)
}

// link returns the interface with a name, which it makes if there is none.
func (p *parser) link(name string) *Link {
	if l := p.links[name]; l != nil {
		return l
	}
	l := &Link{Name: name, Flags: defaultFlags}
	if name == loName {
		l.Index, l.Flags = lo, loFlags
	}
	p.links[name], p.order = l, append(p.order, l)
	return l
}

// number gives an index to the interfaces that have none.
func (p *parser) number() {
	used := map[uint32]bool{lo: true}
	for _, l := range p.order {
		used[l.Index] = true
	}
	next := uint32(lo)
	for _, l := range p.order {
		for l.Index == 0 {
			if next++; !used[next] {
				l.Index = next
			}
		}
	}
}

// A linkLine is the line of an interface that is being parsed.
type linkLine struct {
	*Link
	master string
}

var linkWords = func() iptext.Table[linkLine] {
	t := iptext.Table[linkLine]{
		{Names: []string{"index"}, Parse: func(w *iptext.Words, l *linkLine) (err error) {
			if l.Index, err = iptext.ArgUint[uint32](w, "an index", 31); err == nil && l.Index == 0 {
				err = w.Errorf("not an index: want at least 1")
			}
			return err
		}},
		{Names: []string{"group"}, Parse: func(w *iptext.Words, l *linkLine) (err error) {
			if w.Peek() == "default" {
				w.Take()
				l.Group = 0
				return nil
			}
			l.Group, err = iptext.ArgUint[uint32](w, "a group", 32)
			return err
		}},
		{Names: []string{"master", "vrf"}, Parse: func(w *iptext.Words, l *linkLine) (err error) {
			l.master, err = w.Arg("an interface")
			return err
		}},
		{Names: []string{"altname"}, Parse: func(w *iptext.Words, l *linkLine) error {
			name, err := w.Arg("a name")
			l.AltNames = append(l.AltNames, name)
			return err
		}},
		{Names: []string{"type"}, Parse: func(w *iptext.Words, l *linkLine) (err error) {
			l.Kind, err = w.Arg("a type")
			return err
		}},
		{Names: []string{"table"}, Parse: func(w *iptext.Words, l *linkLine) error {
			return iptext.ArgName(w, "a table", func(word string) (uint32, error) {
				id, err := (*rttables.Names)(nil).Parse(word)
				return uint32(id), err
			}, &l.Table)
		}},
		{Names: []string{"up"}, Parse: func(_ *iptext.Words, l *linkLine) error { l.Flags |= FlagUp; return nil }},
		{Names: []string{"down"}, Parse: func(_ *iptext.Words, l *linkLine) error { l.Flags &^= FlagUp; return nil }},
	}
	for _, x := range flagWords {
		t = append(t, iptext.Word[linkLine]{Names: []string{x.name}, Parse: func(w *iptext.Words, l *linkLine) error {
			s, err := w.Arg("on or off")
			if err != nil {
				return err
			}
			if s != "on" && s != "off" {
				return w.Errorf("not on or off")
			}
			if (s == "on") != x.not {
				l.Flags |= x.flag
			} else {
				l.Flags &^= x.flag
			}
			return nil
		}})
	}
	return t
}()

// readLink reads the line of an interface.
func (p *parser) readLink(c *command) error {
	l, err := p.parseLink(c)
	if err == nil && l.Name == loName && l.Index != lo {
		err = fmt.Errorf("lo has the index %d, and not %d", lo, l.Index)
	}
	return err
}

func (p *parser) parseLink(c *command) (linkLine, error) {
	words := c.args
	if len(words) > 1 && (words[0] == "name" || words[0] == "dev") {
		words = words[1:]
	}
	if len(words) == 0 {
		return linkLine{}, fmt.Errorf("want the name of an interface")
	}
	l := linkLine{Link: p.link(words[0])}
	w := iptext.WordsOf("explain", words[1:])
	for w.More() {
		if err := linkWords.Parse(w, &l, "a word of an interface"); err != nil {
			return l, err
		}
	}
	return l, nil
}

// readMasters sets the masters, whose indexes are known now.
func (p *parser) readMasters(lines []command) error {
	for i := range lines {
		c := &lines[i]
		if c.object != "link" {
			continue
		}
		var copied = parser{links: map[string]*Link{}}
		l, err := copied.parseLink(c)
		if err != nil {
			return c.wrap(err)
		}
		if l.master == "" {
			continue
		}
		index, ok := p.names.Links.Index(l.master)
		if !ok {
			return c.wrap(fmt.Errorf("there is no interface %q, the master of %s", l.master, l.Name))
		}
		p.links[l.Name].Master = index
	}
	return nil
}
