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

// controlName is the socket on which run tells status how things stand. It is an
// abstract one: it belongs to the network namespace, as the uplinks do, and goes with
// its process, also one that is killed. Anyone can have taken the name: who listens is
// believed only if it is root, or who asks.
const controlName = "@policyroute/uplinks"

// controlPatience is how long one side waits for the other.
const controlPatience = 2 * time.Second

// A strangerError is someone who has the name, and is not to be believed.
type strangerError struct{ pid, uid int }

func (e *strangerError) Error() string {
	return fmt.Sprintf("process %d of user %d has the socket %s, and is not believed", e.pid, e.uid, controlName)
}

// ask asks who maintains the uplinks of a network namespace. Nil: nobody.
func ask(netns string) (*keeper, error) {
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
	if !believed(uid) {
		return nil, &strangerError{pid, uid}
	}
	_ = c.SetDeadline(time.Now().Add(controlPatience))
	k := new(keeper)
	if err := json.NewDecoder(io.LimitReader(c, 1<<20)).Decode(k); err != nil {
		return nil, fmt.Errorf("process %d does not say how things stand: %w", pid, err)
	}
	k.PID = pid // as it is called here
	return k, nil
}

// believed reports whether what a user's process says is taken for true: root's, and
// one's own.
func believed(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// A control answers those who ask.
type control struct {
	l    *net.UnixListener
	done chan struct{}
}

// listen answers with what now returns, until it is closed.
func listen(netns string, now func() keeper) (*control, error) {
	c := &control{done: make(chan struct{})}
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
			// What is written fits into the buffer: nobody can hold it up.
			_ = conn.SetDeadline(time.Now().Add(controlPatience))
			_ = json.NewEncoder(conn).Encode(now())
			_ = conn.Close()
		}
	}()
	return c, nil
}

// close ends it.
func (c *control) close() {
	c.l.Close()
	<-c.done
}
