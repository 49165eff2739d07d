package check

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// A Finding is something about an uplink, or about the host, that is not as it
// should be or that will cause trouble.
type Finding struct {
	Code     Code
	Severity Severity
	Uplink   string // its name, or its interface and gateway; empty if the finding is about the host
	Object   string // what the finding is about: a route or rule in the words of ip(8), an interface, an address
	Text     string // what is wrong, in a sentence
	Cure     string // the command or the setting that cures it
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
	Note    Severity = iota + 1 // nothing is wrong, but something is not known or not done
	Warning                     // some traffic goes wrong, or will when something else happens
	Fault                       // the uplink does not do what it is for
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

// A Code says what kind of trouble was found. Codes do not change. A Code is its own
// text: later versions have more codes, and a program that reads codes has to expect
// ones that it does not know.
type Code string

// The codes, with the severity that each has.
const (
	// The uplink itself.
	CodeAbsent    Code = "absent"    // fault: nothing of it is installed
	CodeMissing   Code = "missing"   // fault: a route or rule does not exist
	CodeChanged   Code = "changed"   // fault: a route exists, but with other properties
	CodeExtra     Code = "extra"     // warning: a route or rule of ours that should not exist
	CodeUnnamed   Code = "unnamed"   // note: rt_tables does not have the table's name
	CodeAdoptable Code = "adoptable" // warning: scripts have made it, and nothing of ours is installed
	CodeRefused   Code = "refused"   // fault: Install would refuse it

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
	CodeBeforeLocal Code = "before-local" // fault: a rule of ours comes before the rule for the table local, and none of ours looks that up first
	CodeAfterMain   Code = "after-main"   // fault: a rule of ours comes after the rule for the table main
	CodeRuleOrder   Code = "rule-order"   // fault, or note if a line says so: a rule of another uplink comes before one from a source

	// Others before the uplink, and in its table.
	CodeOverruled       Code = "overruled"        // fault: a rule or route of others takes its packets
	CodeOverruledPartly Code = "overruled-partly" // note: rules of others before the uplink's take some of its packets
	CodeForeignRoute    Code = "foreign-route"    // note: the uplink's table has routes of others

	// The rest of the host.
	CodeDetour         Code = "lan-detour"      // warning: packets to a LAN that main knows go to the gateway
	CodeReversePath    Code = "rp-filter"       // warning: strict reverse path filtering drops what comes in
	CodeWildcardUDP    Code = "udp-wildcard"    // warning: a UDP server answers by another way
	CodePublishedPorts Code = "published-ports" // note: published ports of containers answer by another way
	CodePortUnused     Code = "port-unused"     // note: no UDP server listens on a port that was said to be multihomed
	CodeDefaultAbsent  Code = "default-absent"  // warning: the shared default route is not there
	CodeDefaultIdle    Code = "default-idle"    // warning: another route or rule goes before the shared default route
	CodeForeignRules   Code = "foreign-rules"   // warning: a manager deletes rules that it does not know
	CodeForeignRoutes  Code = "foreign-routes"  // warning: a manager deletes routes that it does not know
	CodeNotRead        Code = "not-read"        // note: something could not be read
)
