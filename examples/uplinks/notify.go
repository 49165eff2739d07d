package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A manager is the service manager, systemd. It gets notifications as datagrams to a socket
// whose name is in the environment, see sd_notify(3) and sd_watchdog(3). A goroutine of its
// own sends them, so that a manager that does not read blocks nothing.
type manager struct {
	socket          string        // NOTIFY_SOCKET; empty: there is none
	watchdogTimeout time.Duration // WATCHDOG_USEC: how long the manager waits for a notification
	journal         bool          // JOURNAL_STREAM: standard error goes to the journal

	mu     sync.Mutex
	states []string      // to be sent, one after the other
	alive  bool          // a sign of life is to be sent
	status string        // the last status, to be sent
	wake   chan struct{} // gets a value when there is something to send
	idle   chan struct{} // closed when everything is sent
}

// maxStates is how many states wait for a manager that does not read. When there are more,
// the oldest ones are dropped.
const maxStates = 16

// maxStatus is how many bytes of a status are sent. The manager ignores datagrams of more
// than 4096.
const maxStatus = 1000

// newManager returns the manager of the environment.
func newManager(getenv func(string) string) *manager {
	m := &manager{socket: getenv("NOTIFY_SOCKET"), journal: isStream(os.Stderr, getenv("JOURNAL_STREAM"))}
	m.wake, m.idle = make(chan struct{}, 1), make(chan struct{})
	close(m.idle)
	pid := getenv("WATCHDOG_PID")
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m // the watchdog is for another process
	}
	if n, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 53); err == nil {
		m.watchdogTimeout = time.Duration(min(n, uint64(time.Hour.Microseconds()))) * time.Microsecond
	}
	return m
}

// start starts to send. The function that it returns waits for a limited time until
// everything is sent, and then stops sending.
func (m *manager) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go m.run(ctx)
	return func() {
		m.flush()
		cancel()
	}
}

// run sends what is to be sent until ctx ends.
func (m *manager) run(ctx context.Context) {
	if m.socket == "" {
		return
	}
	for {
		for text := m.next(); text != ""; text = m.next() {
			if !m.send(text) {
				break
			}
			m.sent(text)
		}
		var again <-chan time.Time
		if m.next() != "" {
			again = time.After(writePatience)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-again:
		}
	}
}

// next returns what is to be sent next, or "".
func (m *manager) next() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case len(m.states) > 0:
		return m.states[0]
	case m.alive:
		return signOfLife
	}
	return m.status
}

const signOfLife = "WATCHDOG=1"

// sent removes the text that was sent.
func (m *manager) sent(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case len(m.states) > 0 && m.states[0] == text:
		m.states = m.states[1:]
	case text == signOfLife:
		m.alive = false
	case text == m.status: // else there is a newer one
		m.status = ""
	}
	if len(m.states) == 0 && !m.alive && m.status == "" {
		close(m.idle)
	}
}

// send sends a datagram. It returns false if the manager does not read, so that the
// datagram has to be sent again. Other errors are ignored.
func (m *manager) send(text string) (done bool) {
	// Package net and NOTIFY_SOCKET both write an abstract socket with a leading @.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return true
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(writePatience))
	_, err = c.Write([]byte(text))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// put changes what is to be sent.
func (m *manager) put(change func()) {
	if m.socket == "" {
		return
	}
	m.mu.Lock()
	if len(m.states) == 0 && !m.alive && m.status == "" {
		m.idle = make(chan struct{})
	}
	change()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// notify sends states, such as READY=1, after those before them.
func (m *manager) notify(states string) {
	m.put(func() {
		m.states = append(m.states, states)
		m.states = m.states[max(0, len(m.states)-maxStates):]
	})
}

// notifyStatus sends a status. The status replaces one that was not sent yet.
func (m *manager) notifyStatus(text string) {
	m.put(func() { m.status = statusLine(text) })
}

// statusLine returns the line of a status. Nothing in the text begins another line.
func statusLine(text string) string {
	text = oneLine(text)
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "") + "…"
	}
	return "STATUS=" + text
}

// flush waits until everything is sent, for a limited time.
func (m *manager) flush() {
	m.mu.Lock()
	idle := m.idle
	m.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(writePatience):
	}
}

// notifyReloading announces that a reload begins. READY=1 announces its end.
func (m *manager) notifyReloading() {
	m.notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// lookInterval returns how often run has to check everything, so that each watchdog period
// has a check. Zero means the default interval.
func (m *manager) lookInterval() time.Duration {
	const usual = 5 * time.Minute
	if m.watchdogTimeout == 0 || m.watchdogTimeout/4 >= usual {
		return 0
	}
	return m.watchdogTimeout / 4
}

// watchdog notifies the manager if a check has begun since the last notification. So it
// stays silent if a check or the loop of checks hangs. There is a check in every quarter of
// the timeout, and the count is read as often, so notifications are at most half of the
// timeout apart.
func (m *manager) watchdog(ctx context.Context, looks *atomic.Uint64) {
	if m.watchdogTimeout == 0 {
		return
	}
	tick := time.NewTicker(max(1, m.watchdogTimeout/4))
	defer tick.Stop()
	last := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := looks.Load(); n != last {
			last = n
			m.put(func() { m.alive = true })
		}
	}
}
