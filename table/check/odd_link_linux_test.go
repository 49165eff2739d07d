//go:build linux

package check_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// localTalk is ARPHRD_LOCALTLK, whose hardware addresses have one byte.
const localTalk = 773

// An interface with a hardware address of one byte, and a neighbour there that has one as
// well, are in the way of nobody, and the interface can be an uplink.
func TestShortHardwareAddress(t *testing.T) {
	n, u := healthy(t, tabletest.IPv4, nil)
	if _, err := n.Server.TUNOfType("odd0", localTalk); err != nil {
		t.Log("not tried: there is no tun: ", err) // for an ordinary user
		return
	}
	n.Server.Addr("odd0", "10.40.0.2/24")
	neighbour := make([]byte, uapi.SizeofNdMsg)
	neighbour[uapi.NdMsgFamily] = uapi.AF_INET
	binary.NativeEndian.PutUint32(neighbour[uapi.NdMsgIndex:], n.Server.Index("odd0"))
	binary.NativeEndian.PutUint16(neighbour[uapi.NdMsgState:], uapi.NUD_PERMANENT)
	neighbour = attr.Append(neighbour, uapi.NDA_DST, []byte{10, 40, 0, 1})
	neighbour = attr.Append(neighbour, uapi.NDA_LLADDR, []byte{5})
	if _, err := n.Conn.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWNEIGH, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
		Data:   neighbour,
	}); err != nil {
		t.Fatal(err)
	}
	wantFindings(n, "warning lan-detour route 10.40.0.0/24 dev odd0 proto kernel src 10.40.0.2\n", u)
	odd := table.SourceRoutedUplink{Name: "odd", Table: 40, Interface: "odd0", Gateway: netip.MustParseAddr("10.40.0.1"), Etc: n.Etc}
	n.Install(odd)
	found, err := check.Run(t.Context(), n.Conn, odd)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Severity == check.Fault {
			t.Error(f)
		}
	}
	r, err := route.Lookup(t.Context(), n.Conn, route.Query{Src: netip.MustParseAddr("10.40.0.2"), Dst: netip.MustParseAddr("198.51.100.10")})
	if err != nil || r.OIF != n.Server.Index("odd0") {
		t.Errorf("a packet of the uplink goes by %v, %v", r, err)
	}
	n.Remove(odd)
}
