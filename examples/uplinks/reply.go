package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// replyWord is the first word of a line about answers that leave by the way the question
// came:
//
//	reply udp PORT... | all [remember TIME] [clients NUMBER]
//	reply forwarded [mark VALUE/MASK]
const replyWord = "reply"

// replyName is the name of the policy for answers in reports and events.
const replyName = "(reply)"

// A replyPolicy is the lines about answers.
type replyPolicy struct {
	reply.Policy
	line          int // the first line; zero: there is none
	forwardedLine int
	allLine       int // the line with all ports
}

// isGiven reports whether the file has a line about answers.
func (p *replyPolicy) isGiven() bool { return p.line != 0 }

// maintained returns the policy in the type of package maintain, or nil if there is none.
func (p *replyPolicy) maintained() *reply.Policy {
	if !p.isGiven() {
		return nil
	}
	return &p.Policy
}

// replyKinds are the words after reply.
var replyKinds = []string{"udp", "forwarded"}

// parseReply parses such a line, which is the n-th.
func (c *config) parseReply(n int, words []string) error {
	w := iptext.Split(c.position(n), strings.Join(words, " "))
	w.Take()
	kind, err := w.Arg("udp or forwarded")
	if err != nil {
		return err
	}
	p := c.reply // a line with a fault changes nothing
	switch kind {
	case "udp":
		p.UDP = slices.Clone(p.UDP)
		err = p.parseUDP(w, n)
	case "forwarded":
		err = p.parseForwarded(w, n)
	case "dev":
		err = w.Errorf("want udp or forwarded: %q begins a line about answers, so no uplink can have this name", replyWord)
	default:
		err = w.Errorf("want udp or forwarded%s", iptext.Suggest(kind, replyKinds))
	}
	if err != nil {
		return err
	}
	if p.line == 0 {
		p.line = n
	}
	c.reply = p
	return c.checkReply(n)
}

// checkReply refuses a policy that is not valid on any host.
func (c *config) checkReply(n int) error {
	if e, ok := c.reply.Validate().(*plan.FieldError); ok {
		return fmt.Errorf("%s: %s", c.position(n), e.InWords())
	}
	return nil
}

// parseUDP parses the ports of UDP servers, and how long and how many clients are remembered.
func (p *replyPolicy) parseUDP(w *iptext.Words, n int) error {
	if !w.More() {
		_, err := w.Arg("a port")
		return err
	}
	if w.Accept("all") {
		p.UDP, p.allLine = append(p.UDP, reply.AllPorts()), n
	} else if err := p.parsePorts(w, n); err != nil {
		return err
	}
	for w.More() {
		if err := replyWords.Parse(w, p, "a port, or a word of the line "+replyWord+" udp"); err != nil {
			return err
		}
	}
	return nil
}

// parsePorts parses ports up to a word that is none.
func (p *replyPolicy) parsePorts(w *iptext.Words, n int) error {
	if p.allLine != 0 {
		w.Take()
		return w.Errorf("line %d has all ports already", p.allLine)
	}
	for first := true; first || isNumber(w.Peek()); first = false {
		ports, err := argPorts(w)
		if err != nil {
			return err
		}
		if !slices.Contains(p.UDP, ports) {
			p.UDP = append(p.UDP, ports)
		}
	}
	return nil
}

func isNumber(s string) bool { return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-') }

// argPorts takes a port, or the first and the last port of a range.
func argPorts(w *iptext.Words) (rule.Ports, error) {
	const reason = "not a port: want 1 to 65535, a range such as 1194-1199, or all"
	s, err := w.Arg("a port")
	if err != nil {
		return rule.Ports{}, err
	}
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	a, err1 := strconv.ParseUint(first, 10, 16)
	b, err2 := strconv.ParseUint(last, 10, 16)
	switch {
	case err1 != nil || err2 != nil || a == 0:
		return rule.Ports{}, w.Errorf("%s", reason)
	case b < a:
		return rule.Ports{}, w.Errorf("the last port is below the first: write %d-%d", b, a)
	case a == b:
		return rule.Port(uint16(a)), nil
	}
	return rule.PortRange(uint16(a), uint16(b)), nil
}

// replyWords are the words of a line about UDP servers after the ports.
var replyWords = iptext.Table[replyPolicy]{
	{Names: []string{"remember"}, Parse: func(w *iptext.Words, p *replyPolicy) error {
		if err := argTime(w, &p.Remember); err != nil {
			return err
		}
		if e, ok := p.Validate().(*plan.FieldError); ok {
			return w.Errorf("%s", e.Reason)
		}
		return nil
	}},
	{Names: []string{"clients"}, Parse: func(w *iptext.Words, p *replyPolicy) (err error) {
		if p.Clients, err = argPositive[uint32](w, "a number of clients", 32, "want 1 or more"); err != nil {
			return err
		}
		if e, ok := p.Validate().(*plan.FieldError); ok {
			return w.Errorf("%s", e.Reason)
		}
		return nil
	}},
}

// forwardedWords are the words of a line about forwarded connections.
var forwardedWords = iptext.Table[replyPolicy]{
	{Names: []string{"mark"}, Parse: func(w *iptext.Words, p *replyPolicy) error { return argMarks(w, p) }},
}

// parseForwarded parses the rest of a line about forwarded connections.
func (p *replyPolicy) parseForwarded(w *iptext.Words, n int) error {
	if p.forwardedLine != 0 {
		return w.Errorf("already given on line %d", p.forwardedLine)
	}
	p.Forwarded, p.forwardedLine = true, n
	seen := make(map[string]bool)
	for w.More() {
		s := w.Peek()
		if _, ok := forwardedWords.Find(s); ok && seen[s] {
			w.Take()
			return w.Errorf("given twice")
		}
		seen[s] = true
		if err := forwardedWords.Parse(w, p, "a word of the line "+replyWord+" forwarded"); err != nil {
			return err
		}
	}
	return nil
}

// argMarks takes the first mark and the mask of all marks.
func argMarks(w *iptext.Words, p *replyPolicy) error {
	const reason = "want the first mark and the bits that belong to the marks, such as 0x4/0x7c"
	s, err := w.Arg("a mark and a mask, such as 0x4/0x7c")
	if err != nil {
		return err
	}
	value, mask, ok := strings.Cut(s, "/")
	v, err1 := strconv.ParseUint(value, 0, 32)
	m, err2 := strconv.ParseUint(mask, 0, 32)
	switch {
	case !ok || err1 != nil || err2 != nil:
		return w.Errorf("%s", reason)
	case m == 0:
		return w.Errorf("a mask without bits has room for no mark: %s", reason)
	case v == 0:
		return w.Errorf("0 is the mark of all other packets: %s", reason)
	case v&^m != 0:
		return w.Errorf("the mark has bits that the mask has not: take the mark from the mask, or widen the mask")
	}
	p.Mark, p.Mask = uint32(v), uint32(m)
	return nil
}

// lines returns the lines about answers in their normal form.
func (p *replyPolicy) lines() []string {
	var all []string
	if len(p.UDP) > 0 {
		var b iptext.Printer
		b.Put(replyWord, "udp")
		if p.allLine != 0 {
			b.Put("all")
		} else {
			for _, ports := range p.UDP {
				b.Put(ports.String())
			}
		}
		putTime(&b, "remember", p.Remember)
		putNumber(&b, "clients", p.Clients)
		all = append(all, b.String())
	}
	if p.Forwarded {
		var b iptext.Printer
		b.Put(replyWord, "forwarded")
		if p.Mask != 0 {
			b.Put("mark", fmt.Sprintf("%#x/%#x", p.Mark, p.Mask))
		}
		all = append(all, b.String())
	}
	return all
}
