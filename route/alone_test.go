package route

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
)

// A route that has one thing set, whatever it is, has it after it was encoded
// and decoded: no attribute depends on another one to be written.
func TestEachFieldAlone(t *testing.T) {
	full := Route{
		Type: TypeUnicast, Dst: netip.MustParsePrefix("10.0.0.0/8"), Src: netip.MustParsePrefix("10.1.0.0/16"),
		TOS: 4, Table: 256, Protocol: ProtoStatic, Scope: ScopeLink, Flags: FlagOnLink,
		Gateway: gateways[IPv4][0], OIF: 3, PrefSrc: sources[IPv4][0], Priority: 5,
		Multipath: []NextHop{{OIF: 3, Weight: 1}}, NextHopID: 6, Preference: Some(PrefMedium), Realms: Realms{1, 2},
		Metrics: Metrics{MTU: 1400}, Encap: EncapMPLS{Labels: MakeLabels(16)}, Expires: Some[time.Duration](0),
		Label: Some[uint32](17), NewDst: MakeLabels(18), TTLPropagate: Some(false),
		IIF: 7, Mark: 8, UID: Some[uint32](0), IPProto: 6, SPort: 9, DPort: 10, FlowLabel: Some[uint32](0),
		CacheInfo: CacheInfo{TSAge: 1}, Unknown: Attributes(attr.Append(nil, 0x3fff, nil)),
	}
	from := reflect.ValueOf(full)
	for i := range from.NumField() {
		name := from.Type().Field(i).Name
		if name == "Family" {
			continue
		}
		if from.Field(i).IsZero() {
			t.Fatalf("%s has no value here", name)
		}
		r := Route{Family: IPv4}
		if name == "Label" || name == "NewDst" {
			r = Route{Family: MPLS, Label: Some[uint32](0)}
		}
		reflect.ValueOf(&r).Elem().Field(i).Set(from.Field(i))
		b, err := r.AppendBinary(nil)
		var got Route
		if err == nil {
			err = got.UnmarshalBinary(b)
		}
		if err != nil || !got.Equal(r) {
			t.Errorf("%s: error %v\ngot  %+v\nwant %+v", name, err, got, r)
		}
	}
}
