package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/table/explain"
)

// expectWord is the first word of a line that says which way a packet has to take:
//
//	expect PACKET by UPLINK | VERDICT | [via ADDRESS] [dev NAME]
const expectWord = "expect"

// An expectation is such a line.
type expectation struct {
	file   string
	line   int
	packet explain.Packet
	way    expectedWay
	// uplinks are the lines of the uplink that the expectation names.
	uplinks []uplink
}

// An expectedWay is the way that a packet has to take. One of the fields is set, or dev and
// via together.
type expectedWay struct {
	name    string // a verdict other than unicast, or an uplink
	isName  bool
	verdict explain.Verdict // if name is one
	dev     string
	via     netip.Addr
}

// expectedVerdicts are the verdicts that an expectation can have.
var expectedVerdicts = []explain.Verdict{
	explain.Local, explain.Unreachable, explain.Prohibit, explain.Blackhole, explain.None, explain.Broadcast, explain.Multicast,
}

// parseExpect parses an expectation, which is on the n-th line.
func (c *config) parseExpect(n int, words []string) error {
	position := c.position(n)
	by := -1
	for i, w := range words {
		if w == "by" {
			by = i
		}
	}
	if by < 0 {
		return &iptext.Error{Package: position, Pos: len(words) + 1, Reason: "the word by is missing, and after it an uplink, dev, via or a verdict such as local"}
	}
	if err := checkSelectors(position, 0, words); err != nil {
		return err
	}
	x := expectation{file: c.name, line: n}
	var err error
	if x.packet, err = explain.ParsePacket(strings.Join(words[1:by], " ")); err != nil {
		return inLine(position, 1, err)
	}
	w := iptext.Split(position, strings.Join(words[by+1:], " "))
	if err := x.way.parse(w); err != nil {
		return inLine(position, by+1, err)
	}
	c.expectations = append(c.expectations, x)
	return nil
}

// inLine returns an error about some words of a line, which come after skipped others.
func inLine(position string, skipped int, err error) error {
	var e *iptext.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %s", position, withoutPackage(err))
	}
	moved := *e
	moved.Package, moved.Pos = position, e.Pos+skipped
	return &moved
}

// parse parses the words after by.
func (way *expectedWay) parse(w *iptext.Words) error {
	s := w.Peek()
	if s != "dev" && s != "via" {
		var err error
		if way.name, err = w.Arg("an uplink, dev, via or a verdict such as local"); err != nil {
			return err
		}
		way.isName = true
		for _, v := range expectedVerdicts {
			if v.String() == s {
				way.verdict, way.isName = v, false
			}
		}
	}
	for w.More() {
		switch s := w.Peek(); {
		case s == "dev" && way.dev == "" && way.name == "":
			w.Take()
			name, err := argInterface(w)
			if err != nil {
				return err
			}
			way.dev = name
		case s == "via" && !way.via.IsValid() && way.name == "":
			w.Take()
			if err := argAddr(w, &way.via); err != nil {
				return err
			}
		default:
			w.Take()
			return w.Errorf("want one of: an uplink; a verdict; dev and via, each once")
		}
	}
	return nil
}

// String returns the words of the way.
func (way expectedWay) String() string {
	var p iptext.Printer
	if way.name != "" {
		p.Put(way.name)
	}
	if way.via.IsValid() {
		p.Put("via", way.via.String())
	}
	if way.dev != "" {
		p.Put("dev", way.dev)
	}
	return p.String()
}

// String returns the expectation as a line of the file.
func (x *expectation) String() string {
	return expectWord + " " + x.packet.String() + " by " + x.way.String()
}

// position returns the position of the line in the form that editors read.
func (x *expectation) position() string { return fmt.Sprintf("%s:%d", x.file, x.line) }

// setExpectedUplinks finds the uplinks that expectations name.
func setExpectedUplinks(all []expectation, uplinks []uplink) error {
	var names []string
	for _, u := range uplinks {
		names = append(names, u.Name)
	}
	var errs []error
	for i := range all {
		x := &all[i]
		if !x.way.isName {
			continue
		}
		x.uplinks = nil
		for _, u := range uplinks {
			if u.Name == x.way.name {
				x.uplinks = append(x.uplinks, u)
			}
		}
		if len(x.uplinks) == 0 {
			choices := slices.Clone(names)
			for _, v := range expectedVerdicts {
				choices = append(choices, v.String())
			}
			errs = append(errs, fmt.Errorf("%s: %q is neither an uplink nor a verdict%s", x.position(), x.way.name, iptext.Suggest(x.way.name, choices)))
		}
	}
	return errors.Join(errs...)
}
