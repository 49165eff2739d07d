package check_test

import (
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A dumpCounter counts the dumps that a socket is asked for. It shows its namespace, so
// that a snapshot needs one listing.
type dumpCounter struct {
	socket *route.Socket
	dumps  map[netlink.HeaderType]int
}

func (c *dumpCounter) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Flags&netlink.Dump == netlink.Dump {
		c.dumps[m.Header.Type]++
	}
	return c.socket.Execute(m)
}

func (c *dumpCounter) SyscallConn() (syscall.RawConn, error) { return c.socket.SyscallConn() }

// The host is read once, whatever the number of uplinks, and also if some are refused or
// a transaction was interrupted.
func TestRunReadsOnce(t *testing.T) {
	n := tabletest.NewNetwork(t)
	uplinks := append(n.BothFamilies(), n.Uplink1(tabletest.IPv4), n.Uplink1(tabletest.IPv6))
	n.Install(uplinks...)
	uplinks[0].Gateway = uplinks[0].Gateway.Next()
	uplinks[1].Table, uplinks[1].Name = 10, "other" // which is that of lan1
	uplinks[2].Interface = "u9"
	if err := n.AddRule("30990: from 10.1.0.2 goto 30999 proto 210"); err != nil {
		t.Fatal(err)
	}
	var c *dumpCounter
	for range 10 { // a snapshot lists again what changes while it is taken
		c = &dumpCounter{n.Conn, make(map[netlink.HeaderType]int)}
		found, err := check.Run(t.Context(), c, uplinks...)
		if err != nil {
			t.Fatal(err)
		}
		if codes := words(found); len(found) < 4 {
			t.Errorf("the uplinks are to be in trouble, found only\n%s", codes)
		}
		if c.once() {
			return
		}
	}
	t.Errorf("dumps by type: %v", c.dumps)
}

// once reports whether everything was dumped once.
func (c *dumpCounter) once() bool {
	for _, typ := range []netlink.HeaderType{
		uapi.RTM_GETLINK, uapi.RTM_GETADDR, uapi.RTM_GETRULE, uapi.RTM_GETROUTE, uapi.RTM_GETNEIGH,
	} {
		if c.dumps[typ] != 1 {
			return false
		}
	}
	return true
}
