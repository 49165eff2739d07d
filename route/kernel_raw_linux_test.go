//go:build linux

package route

import (
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// rawMessage makes a message for a route, some fields of which have any number, as any
// program can send it. The kernel refuses most of them.
func (g generator) rawMessage(t *testing.T) []byte {
	t.Helper()
	r := g.route()
	b, err := r.Canonical().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	payload := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = pick(g, 0, 0, 1, 0xff, byte(g.Uint32()))
		}
		return p
	}
	for range 1 + g.IntN(2) {
		switch i := pick(g, uapi.RtMsgSrcLen, uapi.RtMsgTOS, uapi.RtMsgTable, uapi.RtMsgProtocol, uapi.RtMsgScope, uapi.RtMsgType,
			uapi.RtMsgFlags, uapi.RtMsgFlags+1, uapi.RtMsgFlags+2, uapi.RtMsgFlags+3, -1, -1, -1, -1); i {
		case -1:
			num := uapi.RTA_DST + uapi.RTA(g.IntN(40))
			if num == uapi.RTA_ENCAP || num == uapi.RTA_ENCAP_TYPE || num == uapi.RTA_TABLE || num == uapi.RTA_MULTIPATH {
				continue // the random routes have all kinds
			}
			p := payload(pick(g, 1, 2, 4, 4, 4, 4, 8, 16, 32))
			if num == uapi.RTA_METRICS {
				p = attr.Append(nil, uint16(g.IntN(20)), payload(pick(g, 1, 4, 4, 4, 16)))
			}
			b = attr.Append(b, uint16(num), p)
		default:
			b[i] = byte(g.Uint32())
		}
	}
	return b
}

// Whatever the kernel accepts from anyone, it lists as a route that comes back from its
// text.
func TestKernelRaw(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	g := newGenerator(3)
	accepted := 0
	for range 6000 {
		m := netlink.Message{
			Header: netlink.Header{Type: uapi.RTM_NEWROUTE, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
			Data:   g.rawMessage(t),
		}
		if _, err := c.Execute(m); err == nil {
			accepted++
		}
	}
	t.Logf("%d messages accepted", accepted)
	if accepted < 500 {
		t.Errorf("the kernel accepts only %d messages", accepted)
	}
	routes, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		back, err := Parse(r.String(), nil)
		if err != nil || !back.Equal(r) {
			report.Errorf("%q: %v\n got %+v\nwant %+v", r, err, back, r)
		}
	}
}
