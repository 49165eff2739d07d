//go:build linux

package route

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// fromRule adds a rule by hand: this package has no rules.
func fromRule(t *testing.T, c Conn, from netip.Addr, table uint8) {
	t.Helper()
	b := []byte{byte(FamilyOf(from)), 0, uint8(from.BitLen()), 0, table, 0, 0, uapi.FR_ACT_TO_TBL, 0, 0, 0, 0}
	b = attr.Append(b, uint16(uapi.FRA_SRC), from.AsSlice())
	if _, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
		Data:   b,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestKernelLookup(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "default via 192.168.1.1", "default via 192.168.2.1 table 10", "10.9.0.0/16 via 192.168.2.1 src 192.168.1.6",
		"-6 default via 2001:db8:1::1", "-6 default via 2001:db8:2::1 table 10")
	fromRule(t, c, sources[IPv4][1], 10)
	fromRule(t, c, sources[IPv6][1], 10)
	far4, far6 := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8:ff::5")
	ns.Sysctl("net.ipv4.conf.eth0.forwarding", "1")
	for name, c := range conns(t, ns) {
		for _, tt := range []struct {
			q      Query
			via    netip.Addr
			oif    uint32
			src    netip.Addr
			table  rttables.ID
			length int // of the prefix
		}{
			{Query{Dst: far4}, gateways[IPv4][0], eth0, sources[IPv4][0], rttables.Main, 32},
			{Query{Dst: far4, Src: sources[IPv4][1]}, gateways[IPv4][1], eth1, netip.Addr{}, 10, 32},
			{Query{Dst: far4, OIF: eth0}, gateways[IPv4][0], eth0, sources[IPv4][0], rttables.Main, 32},
			{Query{Dst: far4, FibMatch: true}, gateways[IPv4][0], eth0, netip.Addr{}, rttables.Main, -1},
			{Query{Dst: netip.MustParseAddr("10.9.1.1"), FibMatch: true}, gateways[IPv4][1], eth1, sources[IPv4][0], rttables.Main, 16},
			{Query{Dst: far4, Src: netip.MustParseAddr("192.168.1.9"), IIF: eth0}, gateways[IPv4][0], eth0, netip.Addr{}, rttables.Main, 32},
			{Query{Dst: far4, TOS: 0x10, Mark: 7, UID: Some[uint32](5), IPProto: TCP, SPort: 1, DPort: 2},
				gateways[IPv4][0], eth0, sources[IPv4][0], rttables.Main, 32},
			{Query{Dst: sources[IPv4][0]}, netip.Addr{}, 1, sources[IPv4][0], rttables.Local, 32},
			{Query{Dst: far6}, gateways[IPv6][0], eth0, sources[IPv6][0], rttables.Main, 128},
			{Query{Dst: far6, Src: sources[IPv6][1]}, gateways[IPv6][1], eth1, sources[IPv6][1], 10, 128},
			{Query{Dst: far6, FibMatch: true}, gateways[IPv6][0], eth0, netip.Addr{}, rttables.Main, -1},
			{Query{Dst: far6, Mark: 7, UID: Some[uint32](5), IPProto: UDP, SPort: 1, DPort: 2, FlowLabel: Some[uint32](0)},
				gateways[IPv6][0], eth0, sources[IPv6][0], rttables.Main, 128},
		} {
			if tt.q.FlowLabel.IsSet() && lacks(t, uapi.RTA_FLOWLABEL) {
				wantNoFlowLabel(t, name, c, tt.q)
				tt.q.FlowLabel = Opt[uint32]{}
			}
			r, err := Lookup(t.Context(), c, tt.q)
			if err != nil {
				report.Errorf("%s %s: %v", name, tt.q, err)
				continue
			}
			if r.Gateway != tt.via || r.OIF != tt.oif || r.PrefSrc != tt.src || r.Table != tt.table || r.Dst.Bits() != tt.length {
				report.Errorf("%s %s: %s", name, tt.q, r)
			}
		}
	}
}

// wantNoFlowLabel: a kernel that does not know the attribute refuses it, unless
// it is not asked to be strict.
func wantNoFlowLabel(t *testing.T, name string, c Conn, q Query) {
	t.Helper()
	_, err := Lookup(t.Context(), c, q)
	if name == "netlink.Conn Strict=false" {
		if err != nil {
			t.Errorf("%s %s: %v", name, q, err)
		}
		return
	}
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%s %s: %v", name, q, err)
	}
}

// The error of Lookup is what the sender would get.
func TestKernelLookupError(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	add(t, c, "unreachable 10.1.0.0/16", "prohibit 10.2.0.0/16", "blackhole 10.3.0.0/16", "throw 10.4.0.0/16")
	for _, tt := range []struct {
		q     Query
		errno syscall.Errno
		want  string
	}{
		{Query{Dst: netip.MustParseAddr("10.1.0.1")}, syscall.EHOSTUNREACH, `route: lookup "10.1.0.1": no route to host`},
		{Query{Dst: netip.MustParseAddr("10.2.0.1")}, syscall.EACCES, `route: lookup "10.2.0.1": permission denied`},
		{Query{Dst: netip.MustParseAddr("10.3.0.1")}, syscall.EINVAL, `route: lookup "10.3.0.1": invalid argument`},
		{Query{Dst: netip.MustParseAddr("10.4.0.1")}, syscall.ENETUNREACH, `route: lookup "10.4.0.1": network is unreachable`},
		{Query{Dst: netip.MustParseAddr("2001:db9::1")}, syscall.ENETUNREACH, `route: lookup "2001:db9::1": network is unreachable`},
		{Query{Dst: sources[IPv4][0], OIF: 99}, syscall.ENODEV, `route: lookup "192.168.1.6 dev if99": no such device`},
		{Query{Dst: sources[IPv4][0], FlowLabel: Some[uint32](5)}, syscall.EINVAL,
			`route: lookup "192.168.1.6 flowlabel 0x5": invalid argument: Unsupported attribute (RTA_FLOWLABEL)`},
		{Query{}, 0, `route: lookup "default": no Dst to look up`},
		{Query{Dst: netip.MustParseAddr("fe80::1%eth0")}, 0, `route: lookup "fe80::1": fe80::1%eth0 has a zone: leave out the zone, and set OIF`},
		{Query{Dst: sources[IPv4][0], Src: sources[IPv6][0]}, 0,
			`route: lookup "192.168.1.6 from 2001:db8:1::6": RTA_SRC: 2001:db8:1::6/128 is not a prefix of family inet`},
	} {
		if tt.q.FlowLabel.IsSet() && lacks(t, uapi.RTA_FLOWLABEL) {
			wantNoFlowLabel(t, "Socket", c, tt.q)
			continue
		}
		r, err := Lookup(t.Context(), c, tt.q)
		if err == nil || err.Error() != tt.want || tt.errno != 0 && !errors.Is(err, tt.errno) || !r.Equal(Route{}) {
			report.Errorf("\n got %v, %s\nwant %s", err, r, tt.want)
		}
	}
}

// An error says the verb, the route in ip(8)'s words, what the kernel says, and
// the attribute if the kernel points at one. This is the contract.
func TestKernelErrorText(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	add(t, c, "10.5.0.0/16 dev if3")
	before := list(t, c, Filter{})
	for s, want := range map[string]string{
		"10.0.0.1/8 dev if3":         `route: add "10.0.0.1/8 dev if3": invalid argument: Invalid prefix for given prefix length`,
		"10.0.0.0/8":                 `route: add "10.0.0.0/8": no such device`,
		"10.0.0.0/8 dev if99":        `route: add "10.0.0.0/8 dev if99": no such device`,
		"10.0.0.0/8 via 192.168.9.1": `route: add "10.0.0.0/8 via 192.168.9.1": network is unreachable: Nexthop has invalid gateway`,
		"10.0.0.0/8 nhid 9":          `route: add "10.0.0.0/8 nhid 9": invalid argument: Nexthop id does not exist`,
		"10.0.0.0/8 dev if3 tos 3":   `route: add "10.0.0.0/8 tos 0x03 dev if3": invalid argument: Invalid dsfield (tos): ECN bits must be 0`,
		"10.0.0.0/8 dev if3 src 10.9.9.9": `route: add "10.0.0.0/8 dev if3 src 10.9.9.9": invalid argument: ` +
			`Invalid prefsrc address`,
		"2001:db8:aa::/48 via 2001:db8:1::6": `route: add "2001:db8:aa::/48 via 2001:db8:1::6": invalid argument: ` +
			`Gateway can not be a local address`,
		"10.5.0.0/16 dev if3": `route: add "10.5.0.0/16 dev if3": file exists`,
	} {
		err := Add(t.Context(), c, parse(t, s))
		if err == nil || err.Error() != want {
			report.Errorf("\n got %v\nwant %s", err, want)
		}
		var op *netlink.OpError
		if !errors.As(err, &op) || !strings.Contains(want, op.Message) {
			report.Errorf("%s: no *netlink.OpError with the kernel's words: %v", s, err)
		}
		if errors.Is(err, fs.ErrExist) != strings.HasSuffix(want, "file exists") {
			report.Errorf("%s: fs.ErrExist: %v", s, err)
		}
	}
	err := Delete(t.Context(), c, parse(t, "10.77.0.0/16 via 192.168.1.1"))
	if want := `route: delete "10.77.0.0/16 via 192.168.1.1": no such process`; err == nil || err.Error() != want ||
		!errors.Is(err, fs.ErrNotExist) {
		report.Errorf("\n got %v\nwant %s", err, want)
	}
	err = Replace(t.Context(), c, Route{Gateway: netip.MustParseAddr("fe80::1%eth0"), OIF: eth0})
	want := `route: replace "default via fe80::1%eth0 dev if3": RTA_GATEWAY: fe80::1%eth0 has a zone`
	if err == nil || err.Error() != want {
		report.Errorf("\n got %v\nwant %s", err, want)
	}
	if _, err = List(t.Context(), c, Filter{Family: MPLS}); !errors.Is(err, syscall.EOPNOTSUPP) && err != nil {
		report.Error(err)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		report.Errorf("refusals changed the routes (-before +after):\n%s", diff)
	}
}
