package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/health"
)

// alsoWord comes before the selectors of other traffic.
const alsoWord = "also"

// uplinkWords are the words of a line after the name, in the order in which they are
// printed.
var uplinkWords = iptext.Table[uplink]{
	{Names: []string{"table"},
		Parse: func(w *iptext.Words, u *uplink) (err error) {
			u.Table, err = argTable(w)
			return err
		},
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Table != 0 {
				p.Put("table", iptext.Decimal(u.Table))
			}
		}},
	{Names: []string{"dev"},
		Parse: func(w *iptext.Words, u *uplink) (err error) {
			u.Interface, err = argInterface(w)
			return err
		},
		Print: func(p *iptext.Printer, u *uplink) { p.Put("dev", u.Interface) }},
	{Names: []string{"family"},
		Parse: func(w *iptext.Words, u *uplink) error {
			return argFamily(w, "a family of uplinks: inet or inet6", &u.Family)
		},
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Family != 0 && u.Learn == 0 {
				p.Put("family", u.Family.String())
			}
		}},
	{Names: []string{"via"}, Parse: argVia, Print: putVia},
	{Names: []string{"learn"}, Parse: argLearn, Print: func(p *iptext.Printer, u *uplink) {
		if u.Learn != 0 {
			p.Put("learn", u.Learn.String())
		}
		if u.LearnTable != 0 {
			p.Put("table", iptext.Decimal(u.LearnTable))
		}
	}},
	{Names: []string{"onlink"},
		Parse: func(_ *iptext.Words, u *uplink) error { u.OnLink = true; return nil },
		Print: func(p *iptext.Printer, u *uplink) {
			if u.OnLink {
				p.Put("onlink")
			}
		}},
	{Names: []string{"src"}, Parse: argSources, Print: putSources},
	{Names: []string{"subnet"},
		Parse: func(w *iptext.Words, u *uplink) error { return argMany(w, &u.Subnets, argSubnet) },
		Print: func(p *iptext.Printer, u *uplink) { putMany(p, "subnet", u.Subnets, netip.Prefix.String) }},
	{Names: []string{"to"},
		Parse: func(w *iptext.Words, u *uplink) error { return argMany(w, &u.Routes, argDestination) },
		Print: func(p *iptext.Printer, u *uplink) { putMany(p, "to", u.Routes, netip.Prefix.String) }},
	{Names: []string{"pref", "priority"},
		Parse: func(w *iptext.Words, u *uplink) (err error) {
			u.Priority, err = argPositive[uint32](w, "a priority", 32,
				"the rule for the table local is at 0, and the rules of an uplink come after it")
			return err
		},
		Print: func(p *iptext.Printer, u *uplink) { putNumber(p, "pref", u.Priority) }},
	{Names: []string{"metric"},
		Parse: func(w *iptext.Words, u *uplink) (err error) {
			u.Metric, err = iptext.ArgUint[uint32](w, "a metric", 32)
			return err
		},
		Print: func(p *iptext.Printer, u *uplink) { putNumber(p, "metric", u.Metric) }},
	{Names: []string{"proto", "protocol"},
		Parse: func(w *iptext.Words, u *uplink) error { return argProtocol(w, &u.Protocol) },
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Protocol != 0 {
				p.Put("proto", u.Protocol.String())
			}
		}},
	{Names: []string{"main-first"},
		Parse: func(_ *iptext.Words, u *uplink) error { u.MainFirst = true; return nil },
		Print: func(p *iptext.Printer, u *uplink) {
			if u.MainFirst {
				p.Put("main-first")
			}
		}},
	{Names: []string{"unreachable"},
		Parse: func(_ *iptext.Words, u *uplink) error { u.Unreachable = true; return nil },
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Unreachable {
				p.Put("unreachable")
			}
		}},
	{Names: []string{"masquerade"},
		Parse: func(_ *iptext.Words, u *uplink) error { u.Masquerade = true; return nil },
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Masquerade {
				p.Put("masquerade")
			}
		}},
	{Names: []string{"weight"},
		Parse: func(w *iptext.Words, u *uplink) (err error) {
			const reason = "want 1 to 256: leave the word out for an uplink without a share"
			n, err := argPositive[uint16](w, "a weight", 16, reason)
			if n > 256 {
				err = w.Errorf("%s", reason)
			}
			u.Weight = int(n)
			return err
		},
		Print: func(p *iptext.Printer, u *uplink) { putNumber(p, "weight", uint32(u.Weight)) }},
	probeWord("ping", func(w *iptext.Words, h *health.Probe) error { return argMany(w, &h.Echo, argAddr) },
		func(p *iptext.Printer, h *health.Probe) { putMany(p, "ping", h.Echo, netip.Addr.String) }),
	probeWord("connect", func(w *iptext.Words, h *health.Probe) error { return argMany(w, &h.TCP, argAddrPort) },
		func(p *iptext.Printer, h *health.Probe) { putMany(p, "connect", h.TCP, netip.AddrPort.String) }),
	probeWord("every", func(w *iptext.Words, h *health.Probe) error { return argTime(w, &h.Interval) },
		func(p *iptext.Printer, h *health.Probe) { putTime(p, "every", h.Interval) }),
	probeWord("timeout", func(w *iptext.Words, h *health.Probe) error { return argTime(w, &h.Timeout) },
		func(p *iptext.Printer, h *health.Probe) { putTime(p, "timeout", h.Timeout) }),
	probeWord("failures", func(w *iptext.Words, h *health.Probe) error { return argCount(w, &h.Failures) },
		func(p *iptext.Printer, h *health.Probe) { putNumber(p, "failures", uint32(h.Failures)) }),
	probeWord("successes", func(w *iptext.Words, h *health.Probe) error { return argCount(w, &h.Successes) },
		func(p *iptext.Printer, h *health.Probe) { putNumber(p, "successes", uint32(h.Successes)) }),
	probeWord("withdraw", func(w *iptext.Words, h *health.Probe) error {
		h.Withdraw, h.WithdrawMarked = true, w.Accept("all")
		return nil
	}, func(p *iptext.Printer, h *health.Probe) {
		if h.Withdraw {
			p.Put("withdraw")
		}
		if h.WithdrawMarked {
			p.Put("all")
		}
	}),
	// The table only prints this word: parseUplink parses it.
	{Names: []string{alsoWord}, Print: printAlso},
}

// isRepeatable reports whether a line can have a word more than once.
func isRepeatable(word string) bool {
	return word == "src" || word == "subnet" || word == "to" || word == "ping" || word == "connect"
}

// probeWord returns a word that sets a field of the probe.
func probeWord(
	name string, parse func(*iptext.Words, *health.Probe) error, put func(*iptext.Printer, *health.Probe),
) iptext.Word[uplink] {
	return iptext.Word[uplink]{
		Names: []string{name},
		Parse: func(w *iptext.Words, u *uplink) error {
			if u.Health == nil {
				u.Health = new(health.Probe)
			}
			return parse(w, u.Health)
		},
		Print: func(p *iptext.Printer, u *uplink) {
			if u.Health != nil {
				put(p, u.Health)
			}
		},
	}
}

// String returns the uplink as a line of the file.
func (u uplink) String() string {
	var p iptext.Printer
	p.Put(u.Name)
	uplinkWords.Print(&p, &u)
	return p.String()
}

func printAlso(p *iptext.Printer, u *uplink) {
	for _, r := range u.Also {
		p.Put(alsoWord)
		if r.Family != 0 {
			p.Put(iptext.FamilyOption(r.Family)...)
		}
		p.Put(selectors(r)...)
	}
}

// selectors returns the selectors of a rule. It leaves out "from all", which selects
// everything, and the table if it is not set.
func selectors(r rule.Rule) []string {
	words := iptext.Fields(r.Args(nil))
	var kept []string
	for i := 0; i < len(words); i++ {
		if i+1 < len(words) && (words[i] == "from" && words[i+1] == "all" || words[i] == "lookup" && words[i+1] == "0") {
			i++
			continue
		}
		kept = append(kept, words[i])
	}
	return kept
}

// argTable takes the number of a table. The name of the table is that of the uplink.
func argTable(w *iptext.Words) (rttables.ID, error) {
	s, err := w.Arg("the number of a table")
	if err != nil {
		return 0, err
	}
	id, err := rttables.ParseID(s)
	if err != nil || id == rttables.Unspec {
		return 0, w.Errorf("not the number of a table: want 1 to 4294967295")
	}
	return id, nil
}

// argMany takes one argument and all arguments after it that look like an address.
func argMany[T any](w *iptext.Words, all *[]T, arg func(*iptext.Words, *T) error) error {
	for {
		var v T
		if err := arg(w, &v); err != nil {
			return err
		}
		*all = append(*all, v)
		if !strings.ContainsAny(w.Peek(), ".:/") {
			return nil
		}
	}
}

// argAddrPort takes an address and a port, as 192.0.2.1:443 or [2001:db8::1]:443.
func argAddrPort(w *iptext.Words, a *netip.AddrPort) error {
	s, err := w.Arg("an address with a port")
	if err != nil {
		return err
	}
	if *a, err = netip.ParseAddrPort(s); err != nil {
		return w.Errorf("not an address with a port, such as 192.0.2.1:443 or [2001:db8::1]:443")
	}
	return nil
}

func argCount(w *iptext.Words, n *int) error {
	v, err := argPositive[uint16](w, "a number", 16, "want 1 or more")
	*n = int(v)
	return err
}

func argProtocol(w *iptext.Words, p *route.Protocol) error {
	err := iptext.ArgText(w, "a protocol", p)
	if err == nil && *p == route.ProtoUnspec {
		err = w.Errorf("not a protocol that shows which program a route belongs to")
	}
	return err
}

func putMany[T any](p *iptext.Printer, word string, all []T, text func(T) string) {
	for i, v := range all {
		if i == 0 {
			p.Put(word)
		}
		p.Put(text(v))
	}
}

func putTime(p *iptext.Printer, word string, d time.Duration) {
	if d != 0 {
		p.Put(word, d.String())
	}
}

func putNumber(p *iptext.Printer, word string, n uint32) {
	if n != 0 {
		p.Put(word, iptext.Decimal(n))
	}
}
