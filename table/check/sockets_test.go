package check

import (
	"slices"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

func TestDecodeUDP(t *testing.T) {
	for n := range uapi.SizeofInetDiagMsg {
		if s, ok := decodeUDP(make([]byte, n)); ok {
			t.Errorf("%d bytes are %v", n, s)
		}
	}
	b := make([]byte, uapi.SizeofInetDiagMsg)
	if s, ok := decodeUDP(b); ok {
		t.Errorf("no family: %v", s)
	}
	b[uapi.InetDiagMsgFamily] = uapi.AF_INET6
	b[uapi.InetDiagMsgSPort+1] = 53
	s, ok := decodeUDP(attr.Append(slices.Clone(b), uapi.INET_DIAG_SKV6ONLY, []byte{1}))
	if !ok || s.addr.String() != "[::]:53" || !s.only6 || !s.kernel || s.bound != 0 {
		t.Errorf("got %+v, %t", s, ok)
	}
	if s, ok := decodeUDP(append(b, 200, 200, 200, 200, 1)); !ok || s.only6 {
		t.Errorf("a damaged attribute: %+v, %t", s, ok)
	}
}
