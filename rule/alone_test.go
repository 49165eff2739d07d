package rule

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/route"
)

// A rule that has one thing set, whatever it is, has it after it was encoded
// and decoded: no attribute depends on another one to be written.
func TestEachFieldAlone(t *testing.T) {
	full := Rule{
		Priority: Pref(0), Not: true, From: netip.MustParsePrefix("10.0.0.0/8"), To: netip.MustParsePrefix("10.1.0.0/16"),
		IIF: "lo", OIF: "eth0", FwMark: FwMark(0), TOS: 4, DSCP: CodePoint(0), FlowLabel: Label(0), IPProto: 6,
		SPort: Port(1), DPort: Port(2), UIDRange: UIDs(0, 0), TunID: route.Some[uint64](0), L3MDev: true,
		Action: ActionNop, Table: 256, Goto: 5, SuppressPrefixLength: route.Some[uint32](0),
		SuppressIfGroup: route.Some[uint32](0), Realms: route.Realms{Src: 1, Dst: 2}, Protocol: 3,
		Unknown: route.Attributes(attr.Append(nil, 0x3fff, nil)),
	}
	from := reflect.ValueOf(full)
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if name == "Family" || name == "Flags" { // always there; never written
			continue
		}
		if from.Field(i).IsZero() {
			t.Fatalf("%s has no value here", name)
		}
		r := Rule{Family: route.IPv4}
		reflect.ValueOf(&r).Elem().Field(i).Set(from.Field(i))
		b, err := r.AppendBinary(nil)
		var got Rule
		if err == nil {
			err = got.UnmarshalBinary(b)
		}
		if err != nil || got != r {
			t.Errorf("%s: error %v\ngot  %+v\nwant %+v", name, err, got, r)
		}
	}
}
