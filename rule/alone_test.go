package rule

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
)

// A rule of which one field is set, whichever it is, is the same after it was
// encoded and decoded: no attribute depends on another one to be written. Each
// field of the literal has a value that plain constants make.
func TestEachFieldAlone(t *testing.T) {
	report := testrun.Limit(t)
	full := Rule{
		Family: route.IPv4, Flags: FlagPermanent, Priority: Priority(0), Not: true,
		From: netip.MustParsePrefix("10.0.0.0/8"), To: netip.MustParsePrefix("10.1.0.0/16"),
		IIF: "lo", OIF: "eth0", FwMark: FwMark(0), TOS: 4, DSCP: DSCP(0), FlowLabel: FlowLabel(0), IPProto: 6,
		SPort: Port(1), DPort: Port(2), UIDRange: UIDRange(0, 0), TunID: TunID(0), L3MDev: true,
		Action: ActionNop, Table: 256, Goto: 5, SuppressPrefixLength: SuppressPrefixLength(0),
		SuppressIfGroup: SuppressIfGroup(0), Realms: route.Realms{Src: 1, Dst: 2}, Protocol: 3,
		Unknown: route.Attributes(attr.Append(nil, 0x3fff, nil)),
	}
	from := reflect.ValueOf(full)
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if from.Field(i).IsZero() {
			t.Fatalf("%s has no value here", name)
		}
		if name == "Family" || name == "Flags" { // always written; never written
			continue
		}
		r := Rule{Family: route.IPv4}
		reflect.ValueOf(&r).Elem().Field(i).Set(from.Field(i))
		b, err := r.AppendBinary(nil)
		var got Rule
		if err == nil {
			err = got.UnmarshalBinary(b)
		}
		if err != nil || got != r {
			report.Errorf("%s: %s%s", name, testrun.Error(err), testrun.Values(r, got))
		}
	}
}
