package check_test

import (
	"errors"
	"net"
	"time"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// waitForCarrier waits until the kernel says that an interface has one, 1, or none, 0.
func waitForCarrier(n *tabletest.Network, dev, want string) error {
	return n.Server.Do(func() error {
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			i, err := net.InterfaceByName(dev)
			if err != nil {
				return err
			}
			if (i.Flags&net.FlagRunning != 0) == (want == "1") {
				return nil
			}
		}
		return errors.New("the carrier stays as it is")
	})
}

// waitForNeighbour sends something by the gateway until the kernel gives up.
func waitForNeighbour(n *tabletest.Network, u table.SourceRoutedUplink) {
	n.T.Helper()
	// A packet to a neighbour that has failed makes the kernel ask again: it is
	// left in peace until its failure has been seen.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		c, err := n.Server.Dial(n.T.Context(), "udp4", tabletest.IPv4.A2, net.JoinHostPort(tabletest.IPv4.Client, "9"))
		if err == nil {
			c.Write([]byte("x"))
			c.Close()
		}
		for range 50 {
			time.Sleep(20 * time.Millisecond)
			for _, f := range findings(n, u) {
				if f.Code == check.CodeGatewaySilent {
					return
				}
			}
		}
	}
	n.T.Error("the neighbour does not fail")
}
