package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// The flags are those that the kernel has at the moment of the listing.
func TestLinkFlags(t *testing.T) {
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
			t.Errorf("%s is up, and has the flags %#x", links.Name(index), got)
		}
	}
	ns.Down("eth1")
	down := list()
	if got := down.Flags(eth1); got&uapi.IFF_UP != 0 || got == 0 {
		t.Errorf("eth1 is down, and has the flags %#x", got)
	}
	// eth0 is not concerned.
	if got := down.Flags(eth0); got&carrier != carrier {
		t.Errorf("eth0 has the flags %#x", got)
	}
	if got := links.Flags(eth1); got&carrier != carrier {
		t.Errorf("an older listing has the flags %#x", got)
	}
	// Nobody knows those of interfaces that are not there, or only names.
	for name, l := range map[string]*Links{"nil": nil, "made": MakeLinks(map[uint32]string{eth0: "eth0"})} {
		if got := l.Flags(eth0); got != 0 {
			t.Errorf("%s: eth0 has the flags %#x", name, got)
		}
	}
	if got := links.Flags(9999); got != 0 {
		t.Errorf("no interface has the flags %#x", got)
	}
}
