package table

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A Finding is something about an uplink, or about the host around it, that is
// not as it should be or that will hurt.
type Finding struct {
	Code     Code
	Severity Severity
	Uplink   string // its name, or interface and gateway; empty: it is about the host
	Object   string // what it is about: a route or rule in the words of ip(8), an interface, an address
	Text     string // what is wrong, in a sentence
	Cure     string // the command or the setting that cures it
}

// String is the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	if f.Uplink != "" {
		fmt.Fprintf(&b, "uplink %s: ", f.Uplink)
	}
	fmt.Fprintf(&b, "%s (%s): %s", f.Severity, f.Code, f.Text)
	if f.Cure != "" {
		fmt.Fprintf(&b, "; cure: %s", f.Cure)
	}
	return b.String()
}

// A Severity is how much a finding hurts.
type Severity uint8

// The severities.
const (
	Note    Severity = iota + 1 // nothing is wrong, but something is not known or not done
	Warning                     // some traffic goes wrong, or will when something else happens
	Fault                       // the uplink does not do what it is for
)

var severities = iptext.Enum{
	{N: uint8(Note), Name: "note"}, {N: uint8(Warning), Name: "warning"}, {N: uint8(Fault), Name: "fault"},
}

// String is note, warning or fault.
func (s Severity) String() string { return severities.Name(uint8(s)) }

// MarshalText returns what String does.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String prints.
func (s *Severity) UnmarshalText(text []byte) error {
	n, err := severities.Unmarshal("table", "a severity", text)
	if err == nil {
		*s = Severity(n)
	}
	return err
}

// A Code says what kind of thing was found. Codes do not change.
type Code string

// The codes, with the severity that each has.
const (
	// Of the uplink itself.
	CodeAbsent  Code = "absent"  // fault: nothing of it is installed
	CodeMissing Code = "missing" // fault: a route or rule is not there
	CodeChanged Code = "changed" // fault: a route or rule is there, but another
	CodeExtra   Code = "extra"   // warning: a route or rule of ours that is not wanted
	CodeUnnamed Code = "unnamed" // note: rt_tables has not the table's name
	CodeRefused Code = "refused" // fault: Install would refuse it

	// Of what was done to uplinks.
	CodeUnfinished Code = "unfinished" // warning: Install or Remove was killed, or is at work

	// Of what it stands on.
	CodeInterfaceMissing Code = "interface-missing"  // fault
	CodeInterfaceDown    Code = "interface-down"     // fault
	CodeNoCarrier        Code = "no-carrier"         // warning
	CodeSourceGone       Code = "source-gone"        // fault: a source is no address of this host
	CodeSourceTentative  Code = "source-tentative"   // fault: duplicate address detection has not succeeded
	CodeGatewayUnknown   Code = "gateway-unknown"    // note: the gateway has not been talked to yet
	CodeGatewaySilent    Code = "gateway-unresolved" // fault: the gateway does not answer ARP or neighbour discovery

	// Of the rules around.
	CodeNoLocal     Code = "no-local"     // fault: no rule looks up the table local
	CodeBeforeLocal Code = "before-local" // fault: a rule of ours comes before that for the table local
	CodeAfterMain   Code = "after-main"   // fault: a rule of ours comes after that for the table main

	// Of the host around.
	CodeDetour        Code = "lan-detour"     // warning: main knows a nearer way for some destinations
	CodeReversePath   Code = "rp-filter"      // warning: strict reverse path filtering drops what comes in
	CodeWildcardUDP   Code = "udp-wildcard"   // warning: a UDP server answers by another way
	CodeForeignRules  Code = "foreign-rules"  // warning: a manager deletes rules that it does not know
	CodeForeignRoutes Code = "foreign-routes" // warning: a manager deletes routes that it does not know
	CodeNotRead       Code = "not-read"       // note: something could not be looked at
)

// Check says whether uplinks are installed as they should be, and what around
// them will hurt: nothing if all is well. Findings are in the order of the
// uplinks, those about the host last. It changes nothing and sends no packet.
//
// Of the host it reads /proc and the configuration of systemd-networkd; sockets
// and settings are those of the network namespace of c, which takes
// CAP_SYS_ADMIN if that is not the caller's. What may not be read is a finding
// as well. An error means that the kernel could not be asked at all.
//
// Whether a UDP server takes care of its source address (IP_PKTINFO) cannot be
// seen from outside, so that one which does is found too.
func Check(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) ([]Finding, error) {
	s, err := readSurvey(ctx, c, os.DirFS("/"), uplinks)
	if err != nil {
		return nil, err
	}
	return s.findings(), nil
}

// findings judges what was read, and reads nothing itself.
func (s *survey) findings() []Finding {
	var all []Finding
	for i := range s.uplinks {
		v := &s.uplinks[i]
		var found []Finding
		for _, look := range []func(*surveyed) []Finding{
			s.interfaces, s.sources, s.order, s.completeness, s.gateway, s.detours, s.reversePath, s.wildcards,
		} {
			found = append(found, look(v)...)
		}
		for j := range found {
			found[j].Uplink = v.uplink.String()
		}
		all = append(all, withoutRefusal(found)...)
	}
	all = append(all, s.transaction()...)
	all = append(all, s.managers()...)
	for _, text := range s.unread {
		all = append(all, Finding{Code: CodeNotRead, Severity: Note, Text: text})
	}
	return all
}

// withoutRefusal leaves out that an uplink would be refused where another
// finding says why.
func withoutRefusal(found []Finding) []Finding {
	explained := false
	for _, f := range found {
		switch f.Code {
		case CodeInterfaceMissing, CodeSourceGone, CodeSourceTentative:
			explained = true
		}
	}
	if !explained {
		return found
	}
	kept := found[:0:0]
	for _, f := range found {
		if f.Code != CodeRefused {
			kept = append(kept, f)
		}
	}
	return kept
}
