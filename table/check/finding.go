package check

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// A Finding is a problem of an uplink or of the host, or a possible problem.
type Finding struct {
	Code     Code
	Severity Severity
	Uplink   string // the uplink's name, or its interface and gateway; empty if the finding is about the host
	Object   string // what the finding is about: a route or rule in the words of ip(8), an interface, an address
	Text     string // what is wrong, in a sentence
	Cure     string // the command or setting that solves it
}

// String returns the finding in one line.
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

// A Severity ranks a finding.
type Severity uint8

// The severities, in ascending order.
const (
	Note    Severity = iota + 1 // nothing is wrong, but a fact is not known, or something optional is missing
	Warning                     // some traffic goes the wrong way, or will do so after some other event
	Fault                       // the uplink does not work
)

var severityNames = iptext.Enum{
	{N: uint8(Note), Name: "note"}, {N: uint8(Warning), Name: "warning"}, {N: uint8(Fault), Name: "fault"},
}

// String returns "note", "warning" or "fault", or the number of another severity.
func (s Severity) String() string { return severityNames.Name(uint8(s)) }

// MarshalText returns what String returns.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes what MarshalText returns.
func (s *Severity) UnmarshalText(text []byte) error {
	n, err := severityNames.Unmarshal("check", "a severity", text)
	if err == nil {
		*s = Severity(n)
	}
	return err
}

// A Code is the kind of a finding. Codes do not change between versions. Later versions
// can have more codes, so a program that reads codes has to accept unknown ones.
type Code string

// The codes, with the severity that each has.
const (
	// The uplink itself.
	CodeAbsent    Code = "absent"    // fault: no rule or route of the uplink is installed
	CodeMissing   Code = "missing"   // fault: a route or rule does not exist
	CodeChanged   Code = "changed"   // fault: a route exists, but with other properties
	CodeExtra     Code = "extra"     // warning: a route or rule has the uplink's protocol but should not exist
	CodeUnnamed   Code = "unnamed"   // note: rt_tables does not have the table's name
	CodeAdoptable Code = "adoptable" // warning, or note if rules or routes have the uplink's protocol as well: scripts have installed rules or routes for the uplink
	CodeRefused   Code = "refused"   // fault: Install would refuse the uplink

	// Interrupted changes.
	CodeUnfinished Code = "unfinished" // warning: Install or Remove was killed, or is running

	// What the uplink depends on.
	CodeInterfaceMissing Code = "interface-missing"  // fault
	CodeInterfaceDown    Code = "interface-down"     // fault
	CodeNoCarrier        Code = "no-carrier"         // warning
	CodeSourceGone       Code = "source-gone"        // fault: no source is an address of this host
	CodeSourceAbsent     Code = "source-absent"      // note: a source is not an address of this host, and another one is
	CodeSourceTentative  Code = "source-tentative"   // fault: duplicate address detection has not succeeded
	CodeGatewayUnknown   Code = "gateway-unknown"    // note: no traffic to the gateway yet
	CodeGatewaySilent    Code = "gateway-unresolved" // fault: the gateway does not answer ARP or neighbour discovery

	CodeGatewayNone      Code = "gateway-none"      // warning or note: no gateway, and the link is not point-to-point
	CodeGatewayUnlearned Code = "gateway-unlearned" // fault: there is no default route to learn the gateway from

	// The order of rules.
	CodeNoLocal     Code = "no-local"     // fault: no rule looks up the table local
	CodeBeforeLocal Code = "before-local" // fault: a rule of an uplink comes before the rule for the table local, and no rule of the uplink before it looks up local
	CodeAfterMain   Code = "after-main"   // fault: a rule of an uplink comes after the rule for the table main
	CodeRuleOrder   Code = "rule-order"   // fault, or note if Priority was set: a rule of another uplink comes before a rule from a source

	// Other programs' rules before the uplink's, and routes in its table.
	CodeOverruled       Code = "overruled"        // fault: a rule or route of another program takes the uplink's packets
	CodeOverruledPartly Code = "overruled-partly" // note: rules of other programs take some of the uplink's packets
	CodeForeignRoute    Code = "foreign-route"    // note: the uplink's table has routes of other programs

	// The rest of the host.
	CodeDetour           Code = "lan-detour"      // warning: packets to a LAN that main knows go to the gateway
	CodeReversePath      Code = "rp-filter"       // warning: strict reverse path filtering drops packets that come in
	CodeWildcardUDP      Code = "udp-wildcard"    // warning: replies of a UDP server leave through another interface
	CodePublishedPorts   Code = "published-ports" // note: replies from published ports of containers leave through another interface
	CodePublishedAddress Code = "dnat"            // warning: rules publish ports, and answers leave by another interface
	CodeReplyAbsent      Code = "reply-absent"    // fault: the policy for answers is not installed
	CodeReplyChanged     Code = "reply-changed"   // fault: the policy for answers is not installed as it is declared
	CodeMarkConflict     Code = "mark-conflict"   // warning: a rule of another program changes bits of the policy's marks
	CodeValidMark        Code = "src-valid-mark"  // warning: strict reverse path filtering drops packets to published ports
	CodeUntracked        Code = "untracked"       // warning: connections cannot be listed
	CodePortUnused       Code = "port-unused"     // note: no UDP server listens on a port that is declared as multihomed
	CodeDefaultAbsent    Code = "default-absent"  // warning: the shared default route is not installed
	CodeDefaultIdle      Code = "default-idle"    // warning: another route or rule comes before the shared default route
	CodeForeignRules     Code = "foreign-rules"   // warning: a network manager deletes rules of other programs
	CodeForeignRoutes    Code = "foreign-routes"  // warning: a network manager deletes routes of other programs
	CodeNotRead          Code = "not-read"        // note: a part of the host's state could not be read
)
