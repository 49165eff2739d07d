package route

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// The flags are those that the kernel has at the moment of the listing.
func TestKernelLinkFlags(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	list := func() *Links {
		t.Helper()
		l, err := ListLinks(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	const carrier = uapi.IFF_UP | uapi.IFF_LOWER_UP
	eth0, eth1 := ns.Index("eth0"), ns.Index("eth1")
	links := list()
	for _, index := range []uint32{1, eth0, eth1} {
		if got := links.Flags(index); got&carrier != carrier || got&uapi.IFF_LOOPBACK != 0 != (index == 1) {
			report.Errorf("%s is up, and has the flags %#x", links.Name(index), got)
		}
	}
	ns.Down("eth1")
	down := list()
	if got := down.Flags(eth1); got&uapi.IFF_UP != 0 || got == 0 {
		report.Errorf("eth1 is down, and has the flags %#x", got)
	}
	// eth0 is not concerned.
	if got := down.Flags(eth0); got&carrier != carrier {
		report.Errorf("eth0 has the flags %#x", got)
	}
	if got := links.Flags(eth1); got&carrier != carrier {
		report.Errorf("an older listing has the flags %#x", got)
	}
	// Nobody knows those of interfaces that are not there, or only names.
	for name, l := range map[string]*Links{"nil": nil, "made": MakeLinks(map[uint32]string{eth0: "eth0"})} {
		if got := l.Flags(eth0); got != 0 {
			report.Errorf("%s: eth0 has the flags %#x", name, got)
		}
	}
	if got := links.Flags(9999); got != 0 {
		report.Errorf("no interface has the flags %#x", got)
	}
}

// One interface is found by its name, and what is no name of one is not there.
func TestKernelLinkIndex(t *testing.T) {
	ns, c := kernel(t)
	got, err := LinkIndex(t.Context(), c, "eth0")
	if err != nil || got != ns.Index("eth0") {
		t.Errorf("eth0: %d, %v, want %d", got, err, ns.Index("eth0"))
	}
	const newLinkProp = 108 // RTM_NEWLINKPROP
	req := binary.NativeEndian.AppendUint32(make([]byte, 4), ns.Index("eth0"))
	req = append(req, make([]byte, uapi.SizeofIfInfomsg-len(req))...)
	req = attr.Append(req, uapi.IFLA_PROP_LIST|netlink.Nested, attr.Append(nil, uapi.IFLA_ALT_IFNAME, []byte("wan0\x00")))
	if _, err := c.Execute(netlink.Message{Header: netlink.Header{
		Type: newLinkProp, Flags: netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl | netlink.Append,
	}, Data: req}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"eth9", "", "if2", "a name of more than 15 bytes", "wan0"} {
		if got, err := LinkIndex(t.Context(), c, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %d, %v", name, got, err)
		}
	}
}
