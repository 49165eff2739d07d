package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// controlDir is the usual directory of the socket on which run answers status. Only root can
// make the directory, and only its owner can use it. So other users can neither take the
// name of the socket nor keep run from listening.
const controlDir = "/run/uplinks"

// controlPatience is how long each side waits for the other.
const controlPatience = 2 * time.Second

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 16 << 20

// A controlPlace is the place of the socket: a directory, and a name made from the network
// namespace that is maintained. An empty netns means the namespace of this process.
type controlPlace struct{ dir, netns string }

// A heldError says that another process maintains the uplinks of the network namespace.
type heldError struct{ process string }

func (e *heldError) Error() string {
	return e.process + " already maintains the uplinks of this network namespace"
}

// An unknownError says why it is not known whether a process maintains the uplinks, if the
// reason is not a fault.
type unknownError struct{ reason string }

func (e *unknownError) Error() string { return e.reason }

// askMaintainer asks the process that maintains the uplinks of a network namespace for its
// state. It returns nil if there is no such process, and an unknownError if that cannot be
// known.
func askMaintainer(p controlPlace) (*maintainer, error) {
	c, err := dialControl(p)
	if c == nil || err != nil {
		return nil, err
	}
	defer c.Close()
	pid, err := peerPID(c)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(controlPatience))
	k := new(maintainer)
	if err := json.NewDecoder(io.LimitReader(c, maxAnswer)).Decode(k); err != nil {
		return nil, fmt.Errorf("process %d does not report its state: %w", pid, withoutPath(err))
	}
	k.PID = pid // as this PID namespace numbers it
	return k, nil
}

// dialControl connects to the process that maintains the uplinks. It returns nil if there
// is no such process.
func dialControl(p controlPlace) (*net.UnixConn, error) {
	key, err := netnsKey(p.netns)
	if err != nil {
		return nil, err
	}
	dir, err := openPrivateDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, checkUsable(parentOf(p.dir))
	} else if err != nil {
		return nil, err
	}
	defer dir.close()
	c, err := dir.dial(key + ".sock")
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, &unknownError{fmt.Sprintf("only root can ask: %s is closed to other users", p.dir)}
	case !isUnanswered(err):
		return nil, fmt.Errorf("the socket in %s: %w", p.dir, withoutPath(err))
	}
	held, process, err := dir.isLocked(key + ".lock")
	switch {
	case err != nil:
		return nil, err
	case held:
		return nil, fmt.Errorf("%s maintains the uplinks, but does not answer", process)
	}
	return nil, checkUsable(p.dir)
}

// isUnanswered reports whether an error of connect means that no process listens.
func isUnanswered(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}

// withoutPath returns the cause of an error of package net, which has the name of a
// descriptor instead of the path of the socket.
func withoutPath(err error) error {
	var e *net.OpError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// A controlServer answers status on the control socket.
type controlServer struct {
	dir  *privateDir
	key  string
	lock *os.File
	l    *net.UnixListener
	stop chan struct{}
	done chan struct{}
}

// lockTries and lockPause are how often and how long listenControl waits for the lock. The
// process that has the lock may be about to end, or may have just begun.
const (
	lockTries = 20
	lockPause = 50 * time.Millisecond
)

// listenControl starts a server that answers with the answers of a. The error is a heldError
// if another process is such a server. With another error and a server that is not nil, the
// server has only the lock: other processes know of it, but cannot ask it.
func listenControl(p controlPlace, a *answers) (*controlServer, error) {
	key, err := netnsKey(p.netns)
	if err != nil {
		return nil, err
	}
	dir, err := makePrivateDir(p.dir)
	if err != nil {
		return nil, err
	}
	c := &controlServer{dir: dir, key: key, stop: make(chan struct{}), done: make(chan struct{})}
	if c.lock, err = c.takeLock(); err != nil {
		c.release()
		return nil, err
	}
	if c.l, err = dir.listen(key + ".sock"); err != nil {
		close(c.done)
		return c, err
	}
	go c.serve(a)
	return c, nil
}

// takeLock takes the lock. It shows that this process is alive, because the kernel releases
// it when the process ends for any reason.
func (c *controlServer) takeLock() (*os.File, error) {
	process := ""
	for range lockTries {
		lock, err := c.dir.takeLock(c.key + ".lock")
		if lock != nil || err != nil {
			return lock, err
		}
		if conn, err := c.dir.dial(c.key + ".sock"); err == nil {
			pid, err := peerPID(conn)
			conn.Close()
			if err == nil && pid > 0 {
				return nil, &heldError{fmt.Sprintf("process %d", pid)}
			}
		}
		if held, who, err := c.dir.isLocked(c.key + ".lock"); err == nil && held {
			process = who
		}
		time.Sleep(lockPause)
	}
	if process == "" {
		process = "another process"
	}
	return nil, &heldError{process}
}

// Bounds of the work for clients: how many at a time, and how many a second on average.
const (
	controlClients = 8
	controlRate    = 100
)

// serve answers clients until the listener is closed. It gives up a client that does not
// read for some time.
func (c *controlServer) serve(a *answers) {
	defer close(c.done)
	slots := make(chan struct{}, controlClients)
	pace := newPace(controlRate)
	for {
		conn, err := c.l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		wait := controlPatience // for other errors: out of descriptors
		if err == nil {
			wait = pace.take(time.Now())
		}
		if !c.pause(wait) {
			if conn != nil {
				conn.Close()
			}
			return
		}
		if err != nil {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-c.stop:
			conn.Close()
			return
		}
		go func() {
			defer func() { <-slots }()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(controlPatience))
			_, _ = conn.Write(a.get(time.Now()))
		}()
	}
}

// pause waits. It returns false if the server is closed in the meantime.
func (c *controlServer) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-c.stop:
		return false
	}
}

// close stops the server.
func (c *controlServer) close() {
	close(c.stop)
	if c.l != nil {
		c.l.Close()
	}
	<-c.done
	c.release()
}

// release removes the files of the server. Others see the lock until the end.
func (c *controlServer) release() {
	if c.l != nil {
		c.dir.remove(c.key + ".sock")
	}
	if c.lock != nil {
		c.dir.remove(c.key + ".lock")
		c.lock.Close()
	}
	c.dir.close()
}

// parentOf returns the directory that a directory is in.
func parentOf(dir string) string {
	dir = strings.TrimRight(dir, "/")
	i := strings.LastIndexByte(dir, '/')
	switch {
	case i > 0:
		return dir[:i]
	case i == 0:
		return "/"
	}
	return "."
}

// answers makes the answers to clients. It makes an answer answerRate times a second at
// most, however many clients ask; the others get the previous answer. After a reload has
// begun or ended it always makes a new one, because the command reload counts reloads.
type answers struct {
	state   func() maintainer
	reloads func() uint64

	mu     sync.Mutex
	last   []byte
	made   pace
	counts uint64 // of reloads, in last
}

// answerRate is how many answers a second are made.
const answerRate = 10

func newAnswers(state func() maintainer, reloads func() uint64) *answers {
	return &answers{state: state, reloads: reloads, made: newPace(answerRate)}
}

// get returns the answer, as JSON.
func (a *answers) get(now time.Time) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := a.reloads() // before the state: a reload since then makes another answer
	if a.last != nil && counts == a.counts && !a.made.ready(now) {
		return a.last
	}
	a.made.take(now)
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(a.state()) // it has only what can be encoded
	a.last, a.counts = b.Bytes(), counts
	return a.last
}

// A pace lets events happen at a rate: a number per second on average, and at most that many
// at once.
type pace struct {
	rate, left float64
	at         time.Time
}

func newPace(rate float64) pace { return pace{rate: rate, left: rate, at: time.Now()} }

// ready reports whether one more may happen now.
func (p *pace) ready(now time.Time) bool {
	p.left = min(p.rate, p.left+p.rate*max(0, now.Sub(p.at).Seconds()))
	p.at = now
	return p.left >= 1
}

// take counts one more, and returns how long it has to wait.
func (p *pace) take(now time.Time) time.Duration {
	p.ready(now)
	p.left--
	return time.Duration(max(0, -p.left) / p.rate * float64(time.Second))
}
