package route

import (
	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// parseRPL takes segments. The header has them in reverse order.
func parseRPL(w *iptext.Words, _ *Names) ([]byte, error) {
	if !w.Accept("segs") {
		return nil, w.Errorf("no segs")
	}
	var segs Segments
	if err := argSegments(w, &segs); err != nil {
		return nil, err
	}
	n := len(segs) / 16
	if 2*n > 255 {
		return nil, w.Errorf("%d segments", n)
	}
	b := make([]byte, uapi.SizeofRPLSRHdr)
	b[uapi.RPLSRHdrHdrlen], b[uapi.RPLSRHdrType], b[uapi.RPLSRHdrSegmentsLeft] = uint8(2*n), rplType, uint8(n)
	b = append(b, reversed(string(segs))...)
	return attr.Append(nil, uapi.RPL_IPTUNNEL_SRH, b), nil
}

// rplType is the type of an RPL source route, RFC 6554.
const rplType = 3
