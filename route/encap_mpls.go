package route

import (
	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An EncapMPLS puts MPLS labels in front of packets: encap mpls of ip-route(8). Linux
// 4.3.
type EncapMPLS struct {
	// Labels is the stack of labels. (MPLS_IPTUNNEL_DST)
	Labels Labels
	// TTL is the TTL of the labels: ttl. Zero: the TTL of the packet. Unset:
	// net.mpls.ip_ttl_propagate decides. Linux 4.12. (MPLS_IPTUNNEL_TTL)
	TTL Opt[uint8]
	// Unknown holds the attributes that this package has no field for.
	Unknown Attributes
}

var mplsCodec = attr.NewCodec(func(e *EncapMPLS) *Attributes { return &e.Unknown },
	attr.Field(uapi.MPLS_IPTUNNEL_DST, labelStack, func(e *EncapMPLS) *Labels { return &e.Labels }),
	attr.OptField(uapi.MPLS_IPTUNNEL_TTL, attr.U8, func(e *EncapMPLS) *Opt[uint8] { return &e.TTL }),
)

func decodeEncapMPLS(p []byte) (Encap, error) {
	e := mplsCodec.Borrow()
	defer mplsCodec.Return(e)
	if err := mplsCodec.Decode(p, e); err != nil {
		return nil, err
	}
	return *e, nil
}

// Type returns EncapTypeMPLS.
func (e EncapMPLS) Type() EncapType { return EncapTypeMPLS }

// String returns the words of ip-route(8): mpls 100/200 ttl 5.
func (e EncapMPLS) String() string { return encapString(e, nil) }

func (e EncapMPLS) append(b []byte) ([]byte, error) { return mplsCodec.Append(b, &e) }

func (e EncapMPLS) canonical() Encap { return e }

func (e EncapMPLS) words(*Names) ([]string, bool) {
	s := []string{e.Labels.String()}
	if ttl, ok := e.TTL.Get(); ok {
		s = append(s, "ttl", iptext.Decimal(ttl))
	}
	return s, e.Labels.plain() && e.Unknown == ""
}

func parseEncapMPLS(w *iptext.Words, _ *Names) (Encap, error) {
	var e EncapMPLS
	if err := argLabels(w, &e.Labels); err != nil {
		return nil, err
	}
	err := parseWords(w, mplsWords, &e)
	return e, err
}

var mplsWords = iptext.Table[EncapMPLS]{
	{Names: []string{"ttl"}, Parse: func(w *iptext.Words, e *EncapMPLS) error {
		return argOptU8(w, "a TTL", &e.TTL)
	}},
}
