package check_test

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A point-to-point interface has no cable: its carrier is the program that made it.
func TestNoCarrierPointToPoint(t *testing.T) {
	n := tabletest.NewNetwork(t)
	f, err := n.Server.TUN("tun9")
	if err != nil {
		t.Log("not tried: there is no tun: ", err) // for an ordinary user
		return
	}
	n.Server.Up("tun9")
	n.Server.Addr("tun9", "10.9.0.2/24")
	u := table.SourceRoutedUplink{Table: 30, Interface: "tun9", Etc: n.Etc}
	n.Install(u)
	noCarrier := func(x check.Finding) bool { return x.Code == check.CodeNoCarrier }
	if found := findings(n, u); slices.ContainsFunc(found, noCarrier) {
		t.Errorf("the interface has a carrier: %+v", found)
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.TUNSETCARRIER, 0); err != nil {
		t.Fatal(err)
	}
	found := findings(n, u)
	i := slices.IndexFunc(found, noCarrier)
	if i < 0 {
		t.Fatalf("no finding of the carrier: %+v", found)
	}
	if want := "start the program that creates tun9, or read its log"; found[i].Cure != want {
		t.Errorf("the cure is %q, want %q", found[i].Cure, want)
	}
}
