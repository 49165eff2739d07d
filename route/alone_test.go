package route

import (
	"iter"
	"net/netip"
	"reflect"
	"testing"

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
		Metrics: &Metrics{MTU: 1400}, Encap: EncapMPLS{Labels: MakeLabels(16)}, Expires: Some[uint32](0),
		MPLS:      &MPLSRoute{TTLPropagate: Some(false)},
		Packet:    &Packet{Mark: 8},
		CacheInfo: CacheInfo{TSAge: 1}, Unknown: Attributes(attr.Append(nil, 0x3fff, nil)),
	}
	for name, set := range fieldsOf(t, reflect.ValueOf(full)) {
		r := Route{Family: IPv4}
		set(reflect.ValueOf(&r).Elem())
		wantBack(t, name, r)
	}
	metrics := Metrics{
		MTU: 1, Window: 2, RTT: 3, RTTVar: 4, SSThresh: 5, Cwnd: 6, AdvMSS: 7, Reordering: 8, HopLimit: 9, InitCwnd: 10,
		Features: 11, RTOMin: 12, InitRwnd: 13, QuickAck: 14, CongCtl: "cubic", FastOpenNoCookie: 15, Lock: MetricMTU,
		Zeros: MetricMTU, Unknown: Attributes(attr.Append(nil, 0x3fff, nil)),
	}
	for name, set := range fieldsOf(t, reflect.ValueOf(metrics)) {
		r := Route{Family: IPv6, Metrics: new(Metrics)}
		set(reflect.ValueOf(r.Metrics).Elem())
		wantBack(t, "Metrics."+name, r)
	}
	packet := Packet{IIF: 7, Mark: 8, UID: Some[uint32](0), IPProto: 6, SPort: 9, DPort: 10, FlowLabel: Some[uint32](0)}
	for name, set := range fieldsOf(t, reflect.ValueOf(packet)) {
		r := Route{Family: IPv6, Packet: new(Packet)}
		set(reflect.ValueOf(r.Packet).Elem())
		wantBack(t, "Packet."+name, r)
	}
	mpls := MPLSRoute{Label: Some[uint32](17), NewDst: MakeLabels(18), TTLPropagate: Some(false)}
	for name, set := range fieldsOf(t, reflect.ValueOf(mpls)) {
		r := Route{Family: MPLS, MPLS: new(MPLSRoute)}
		set(reflect.ValueOf(r.MPLS).Elem())
		wantBack(t, "MPLS."+name, r)
	}
}

// fieldsOf yields the fields of a struct, and how to set one in another struct
// of the same type. All but Family must have a value.
func fieldsOf(t *testing.T, full reflect.Value) iter.Seq2[string, func(reflect.Value)] {
	return func(yield func(string, func(reflect.Value)) bool) {
		for i := range full.NumField() {
			name := full.Type().Field(i).Name
			if name == "Family" {
				continue
			}
			if full.Field(i).IsZero() {
				t.Fatalf("%s has no value here", name)
			}
			if !yield(name, func(v reflect.Value) { v.Field(i).Set(full.Field(i)) }) {
				return
			}
		}
	}
}

func wantBack(t *testing.T, name string, r Route) {
	t.Helper()
	b, err := r.AppendBinary(nil)
	var got Route
	if err == nil {
		err = got.UnmarshalBinary(b)
	}
	if err != nil || !got.Equal(r) || r.Equal(Route{Family: r.Family}) {
		t.Errorf("%s: error %v\ngot  %+v\nwant %+v", name, err, got, r)
	}
}
