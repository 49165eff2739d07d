package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// controlName is the name of the socket on which run answers status. It is an abstract
// socket: it belongs to the network namespace, as the uplinks do, and the kernel removes it
// when the process ends. Any user can take the name. So an answer is trusted only if it
// comes from root or from the user who asks.
const controlName = "@policyroute/uplinks"

// controlPatience is how long each side waits for the other.
const controlPatience = 2 * time.Second

// An untrustedError says that the process of another user has the name of the socket.
type untrustedError struct{ pid, uid int }

func (e *untrustedError) Error() string {
	return fmt.Sprintf("process %d of user %d has the socket %s, and is not believed", e.pid, e.uid, controlName)
}

// askMaintainer asks the process that maintains the uplinks of a network namespace for its
// state. It returns nil if there is no such process.
func askMaintainer(netns string) (*maintainer, error) {
	var c *net.UnixConn
	err := inNetns(netns, func() (err error) {
		c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: controlName, Net: "unix"})
		return err
	})
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, errors.ErrUnsupported):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer c.Close()
	pid, uid, err := peer(c)
	if err != nil {
		return nil, err
	}
	if !isTrusted(uid) {
		return nil, &untrustedError{pid, uid}
	}
	_ = c.SetDeadline(time.Now().Add(controlPatience))
	k := new(maintainer)
	if err := json.NewDecoder(io.LimitReader(c, 1<<20)).Decode(k); err != nil {
		return nil, fmt.Errorf("process %d does not say how things stand: %w", pid, err)
	}
	k.PID = pid // as this PID namespace numbers it
	return k, nil
}

// isTrusted reports whether answers of a user's processes are trusted: those of root and of
// the current user.
func isTrusted(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// A controlServer answers status on the control socket.
type controlServer struct {
	l    *net.UnixListener
	done chan struct{}
}

// listenControl starts a server that answers with the result of state.
func listenControl(netns string, state func() maintainer) (*controlServer, error) {
	c := &controlServer{done: make(chan struct{})}
	err := inNetns(netns, func() (err error) {
		c.l, err = net.ListenUnix("unix", &net.UnixAddr{Name: controlName, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(c.done)
		for {
			conn, err := c.l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of descriptors
				time.Sleep(controlPatience)
				continue
			}
			// The answer fits into the socket buffer, so a client that does not read cannot block.
			_ = conn.SetDeadline(time.Now().Add(controlPatience))
			_ = json.NewEncoder(conn).Encode(state())
			_ = conn.Close()
		}
	}()
	return c, nil
}

// close stops the server.
func (c *controlServer) close() {
	c.l.Close()
	<-c.done
}
