package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
)

// An attribute with the value zero is another message than none, and can be said, except
// where the kernel reports a zero for what is unset.
func TestZeros(t *testing.T) {
	recodeRoute := func(f Family) func([]byte) ([]byte, error) {
		return func(attribute []byte) ([]byte, error) {
			var r Route
			if err := r.UnmarshalBinary(append((&Route{Family: f}).appendHeader(nil), attribute...)); err != nil {
				return nil, err
			}
			return r.MarshalBinary()
		}
	}
	lost := map[string]string{
		"RTA_TABLE":     "the header has the table, and the kernel reports both",
		"RTA_OIF":       "no interface has the index 0",
		"RTA_PRIORITY":  "the kernel reports it for routes to addresses of this host",
		"RTA_CACHEINFO": "the kernel reports it for every IPv6 route",
		"RTA_PAD":       "padding",
	}
	testrun.WantZeros(t, codec.Name, recodeRoute(IPv4), lost)
	testrun.WantZeros(t, codec.Name, recodeRoute(IPv6), lost)
	testrun.WantZeros(t, codec.Name, recodeRoute(MPLS), lost)
	testrun.WantZeros(t, nextHopCodec.Name, recode(nextHopCodec, func(m *nextHopMessage) { m.family = IPv4 }), map[string]string{
		"RTA_ENCAP": "it is joined with its other half", "RTA_ENCAP_TYPE": "it is joined with its other half",
	})
	testrun.WantZeros(t, metricsCodec.Name, recode(metricsCodec, func(*Metrics) {}), map[string]string{
		"RTAX_CC_ALGO": "the empty name is written without a NUL, as by ip(8)",
	})
	testrun.WantZeros(t, seg6LocalCodec.Name, recode(seg6LocalCodec, func(*seg6Local) {}), map[string]string{
		"SEG6_LOCAL_SRH": "it is decoded when the action is known",
	})
	testrun.WantZeros(t, seg6FlavorCodec.Name, recode(seg6FlavorCodec, func(*Seg6Flavors) {}), nil)
	testrun.WantZeros(t, seg6Codec.Name, recode(seg6Codec, func(*EncapSeg6) {}), map[string]string{
		"SEG6_IPTUNNEL_SRH": "the mode 0 without a header says nothing",
	})
	testrun.WantZeros(t, mplsCodec.Name, recode(mplsCodec, func(*EncapMPLS) {}), nil)
	pad := map[string]string{"LWTUNNEL_IP_PAD": "padding", "LWTUNNEL_IP6_PAD": "padding"}
	testrun.WantZeros(t, ipCodec.Name, recode(ipCodec, func(*EncapIP) {}), pad)
	testrun.WantZeros(t, ip6Codec.Name, recode(ip6Codec, func(*EncapIP) {}), pad)
}

func recode[M any](c *attr.Codec[M], prepare func(*M)) func([]byte) ([]byte, error) {
	return func(attribute []byte) ([]byte, error) {
		var m M
		prepare(&m)
		if err := c.Decode(attribute, &m); err != nil {
			return nil, err
		}
		return c.Append(nil, &m)
	}
}
