package table_test

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// BenchmarkInstallRemove installs an uplink and removes it again.
func BenchmarkInstallRemove(b *testing.B) {
	l := lab.Test(b)
	server, net := l.NS("server"), l.NS("net")
	server.Link("u1", net, "g1")
	server.Addr("u1", "10.1.0.2/24")
	c, err := route.Dial(server.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	u := table.SourceRoutedUplink{Table: 20, Interface: "u1", Gateway: netip.MustParseAddr("10.1.0.1"), Etc: os.DevNull}
	b.ReportAllocs()
	for b.Loop() {
		if err := u.Install(b.Context(), c); err != nil {
			b.Fatal(err)
		}
		if err := u.Remove(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// What is asked and changed of the plain form: not more than is needed, and of a
// table only what is in it.
func TestRequests(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	u.Name = ""
	look := []netlink.HeaderType{
		uapi.RTM_GETRULE, uapi.RTM_GETLINK, uapi.RTM_GETADDR,
		uapi.RTM_GETROUTE, uapi.RTM_GETROUTE, // what is on links: of the kernel, and of DHCP
		uapi.RTM_GETROUTE,
	}
	for _, tt := range []struct {
		name string
		do   func(rec *tabletest.Recorder) error
		want []netlink.HeaderType
	}{
		{"Install", func(rec *tabletest.Recorder) error { return u.Install(t.Context(), rec) }, slices.Concat(look, []netlink.HeaderType{
			uapi.RTM_NEWROUTE, uapi.RTM_NEWROUTE,
			uapi.RTM_GETROUTE, // are they still there?
			uapi.RTM_NEWRULE,
		})},
		{"a second Install", func(rec *tabletest.Recorder) error { return u.Install(t.Context(), rec) }, look},
		{"Remove", func(rec *tabletest.Recorder) error { return u.Remove(t.Context(), rec) }, []netlink.HeaderType{
			uapi.RTM_GETRULE, uapi.RTM_GETROUTE, // neither interface nor addresses: the table is known
			uapi.RTM_DELRULE, uapi.RTM_DELROUTE, uapi.RTM_DELROUTE,
		}},
	} {
		var got []netlink.HeaderType
		rec := &tabletest.Recorder{Conn: n.Conn, Fail: func(_ int, m netlink.Message) error {
			got = append(got, m.Header.Type)
			if m.Header.Type == uapi.RTM_GETROUTE && len(m.Data) == uapi.SizeofRtMsg {
				t.Errorf("%s asks for the routes of all tables", tt.name)
			}
			return nil
		}}
		if err := tt.do(rec); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s asks\n     %v\nwant %v", tt.name, got, tt.want)
		}
	}
}
