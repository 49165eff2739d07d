package route

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

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

// longAltName is an alternative name that no name could be.
const longAltName = "enx001122334455-the-port-at-the-very-left"

// One interface is found by each of its names, alone and in a listing, and what is no name
// of one is not there.
func TestKernelLinkNames(t *testing.T) {
	t.Parallel()
	ns, _ := kernel(t)
	ns.AltName("eth0", "enp0s6")
	ns.AltName("eth0", longAltName)
	ns.AltName("eth1", "if3") // the index of eth0
	want := map[string]uint32{"eth0": eth0, "enp0s6": eth0, longAltName: eth0, "eth1": eth1, "if3": eth1, "lo": 1}
	for kind, c := range conns(t, ns) {
		links, err := ListLinks(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		for name, index := range want {
			if got, err := LinkIndex(t.Context(), c, name); err != nil || got != index {
				t.Errorf("%s: %s: %d, %v, want %d", kind, name, got, err, index)
			}
			one, err := GetLink(t.Context(), c, name)
			if err != nil {
				t.Errorf("%s: %s: %v", kind, name, err)
				continue
			}
			for _, l := range []*Links{links, one} {
				got, ok := l.ByName(name)
				again, ok2 := l.Index(name)
				if !ok || got != index || !ok2 || again != index || l.Name(index) != links.Name(index) {
					t.Errorf("%s: %s: %d %v, %d %v, %s", kind, name, got, ok, again, ok2, l.Name(index))
				}
			}
		}
		var all []string
		for _, name := range links.All() {
			all = append(all, name)
		}
		if !slices.Equal(all, []string{"lo", "eth0", "eth1"}) {
			t.Errorf("%s: all are %q", kind, all)
		}
		for _, name := range []string{"eth9", "", "if2", "a name of more than 15 bytes", strings.Repeat("x", 127), strings.Repeat("x", 128)} {
			if got, err := LinkIndex(t.Context(), c, name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %q: %d, %v", kind, name, got, err)
			}
			if got, ok := links.ByName(name); ok {
				t.Errorf("%s: %q: %d", kind, name, got)
			}
		}
		// Words have any of the names, and text has the name.
		names := &Names{Links: links}
		for words, want := range map[string]string{
			"10.0.0.0/8 dev enp0s6":                         "10.0.0.0/8 dev eth0",
			"10.0.0.0/8 via 192.168.1.1 oif " + longAltName: "10.0.0.0/8 via 192.168.1.1 dev eth0",
			"10.0.0.0/8 dev if3":                            "10.0.0.0/8 dev eth1",
			"10.0.0.0/8 nexthop via 192.168.1.1 dev enp0s6 nexthop via 192.168.2.1 dev if3": "10.0.0.0/8 nexthop via 192.168.1.1 dev eth0 nexthop via 192.168.2.1 dev eth1",
			"2001:db8::/32 encap seg6local action End.DX2 oif enp0s6 dev " + longAltName:    "2001:db8::/32 dev eth0 encap seg6local action End.DX2 oif eth0",
		} {
			if r, err := Parse(words, names); err != nil || r.Text(names) != want {
				t.Errorf("%s: %s is %s, %v", kind, words, r.Text(names), err)
			}
		}
	}
}
