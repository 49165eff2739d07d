package tabletest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// A Job says what a process does with uplinks, and after which of its requests it is
// killed.
type Job struct {
	Adopt    []table.SourceRoutedUplink
	Install  []table.SourceRoutedUplink
	Remove   []table.SourceRoutedUplink
	KillAt   int // the number of the request that changes something; 0: never
	Repeat   int // times to install and remove; 0: once, and only one of them
	Recover  bool
	Lonely   bool // do not wait for others
	Readline bool // wait for a line on standard input first
}

var uplinkChild = NewChild("uplinks", doJob)

// Process returns a process with a job, in the server's namespace, that is to be
// started.
func (n *Network) Process(j Job) *exec.Cmd {
	n.T.Helper()
	return n.Child(uplinkChild, j)
}

// doJob is the process.
func doJob(ns *netlink.Config, j Job) error {
	socket, err := route.Dial(ns)
	if err != nil {
		return err
	}
	defer socket.Close()
	var c route.Conn = socket
	if j.KillAt > 0 {
		c = KillAfter(socket, j.KillAt)
	}
	if j.Lonely {
		c = &Recorder{Conn: socket} // its namespace is not to be found
	}
	if j.Readline {
		var line string
		fmt.Println("ready")
		fmt.Scanln(&line)
	}
	ctx := context.Background()
	if j.Recover {
		return table.Recover(ctx, c)
	}
	if len(j.Adopt) > 0 {
		return table.Adopt(ctx, c, j.Adopt...)
	}
	for range max(j.Repeat, 1) {
		if len(j.Install) > 0 {
			if err := table.Install(ctx, c, j.Install...); err != nil {
				return err
			}
		}
		if len(j.Remove) > 0 {
			if err := table.Remove(ctx, c, j.Remove...); err != nil {
				return err
			}
		}
	}
	return nil
}

// KillAfter returns a connection that kills its own process once so many requests that
// change something were answered. A batch of nf_tables is one request.
func KillAfter(c *route.Socket, requests int) route.Conn {
	return &killer{Socket: c, left: requests}
}

type killer struct {
	*route.Socket
	left int
}

// Execute carries out a request.
func (k *killer) Execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := k.Socket.Execute(m)
	if IsChange(m) {
		k.count()
	}
	return reply, err
}

func (k *killer) count() {
	if k.left--; k.left == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// DialNFT returns a connection to nf_tables that counts batches.
func (k *killer) DialNFT() (nft.Conn, func() error, error) {
	c, err := nft.DialLike(k.Socket)
	if err != nil {
		return nil, nil, err
	}
	return &nftConn{Conn: c, transact: func(msgs []netlink.Message) ([]error, error) {
		defer k.count()
		return c.Transact(msgs)
	}}, c.Close, nil
}
