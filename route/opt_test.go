package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestOpt(t *testing.T) {
	report := testrun.Limit(t)
	var o Opt[uint32]
	if _, ok := o.Get(); ok || o.IsSet() || o.Or(7) != 7 || o == Uint32(0) {
		report.Errorf("the zero Opt: %+v", o)
	}
	o.Set(0)
	if v, ok := o.Get(); !ok || v != 0 || !o.IsSet() || o.Or(7) != 0 || o != Uint32(0) {
		report.Errorf("an Opt of 0: %+v", o)
	}
	for want, got := range map[string]interface{ String() string }{
		"unset": Opt[uint32]{}, "0": Uint32(0), "7": Uint8(7), "18446744073709551615": Uint64(1<<64 - 1),
		"high": Some(PrefHigh), "false": Some(false),
	} {
		if got.String() != want {
			report.Errorf("%q, want %q", got, want)
		}
	}
}

// Every optional field can be set in a literal.
func TestOptLiterals(t *testing.T) {
	report := testrun.Limit(t)
	r := Route{
		Preference: Some(PrefLow),
		Expires:    Uint32(60),
		MPLS:       &MPLSRoute{Label: Uint32(100), TTLPropagate: Some(true)},
		Packet:     &Packet{UID: Uint32(0), FlowLabel: Uint32(0)},
		Encap: EncapSeg6Local{
			Counters: Some(Seg6Counters{}),
		},
	}
	q := Query{UID: Uint32(0), FlowLabel: Uint32(0)}
	ip := EncapIP{ID: Uint64(5), TTL: Uint8(64), TOS: Uint8(0), Flags: Some(TunnelKey | TunnelCsum)}
	mpls := EncapMPLS{TTL: Uint8(0)}
	for name, set := range map[string]bool{
		"Preference": r.Preference.IsSet(), "Expires": r.Expires.IsSet(), "Label": r.MPLS.Label.IsSet(),
		"TTLPropagate": r.MPLS.TTLPropagate.IsSet(), "Packet.UID": r.Packet.UID.IsSet(), "FlowLabel": r.Packet.FlowLabel.IsSet(),
		"Query.UID": q.UID.IsSet(), "Query.FlowLabel": q.FlowLabel.IsSet(), "ID": ip.ID.IsSet(), "TTL": ip.TTL.IsSet(),
		"TOS": ip.TOS.IsSet(), "Flags": ip.Flags.IsSet(), "EncapMPLS.TTL": mpls.TTL.IsSet(),
	} {
		if !set {
			report.Errorf("%s is unset", name)
		}
	}
}
