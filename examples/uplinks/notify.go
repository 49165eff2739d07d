package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// A manager is the service manager, systemd, as sd_notify(3) and sd_watchdog(3)
// describe it: text in datagrams to a socket whose name is in the environment. The
// zero manager asks for nothing, and is told nothing.
type manager struct {
	socket  string        // NOTIFY_SOCKET
	watch   time.Duration // WATCHDOG_USEC: how long it waits for a sign of life
	journal bool          // JOURNAL_STREAM: standard error goes to the journal
}

func newManager(getenv func(string) string) manager {
	m := manager{socket: getenv("NOTIFY_SOCKET"), journal: isStream(os.Stderr, getenv("JOURNAL_STREAM"))}
	pid := getenv("WATCHDOG_PID")
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m // it is someone else who is watched
	}
	if n, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 53); err == nil {
		m.watch = time.Duration(min(n, uint64(time.Hour.Microseconds()))) * time.Microsecond
	}
	return m
}

// tell sends a state. Who does not listen misses it.
func (m *manager) tell(state string) {
	if m.socket == "" {
		return
	}
	// A leading @ stands for an abstract socket here and there.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(state))
}

// reloading tells that a reload begins. READY=1 ends it.
func (m *manager) reloading() {
	m.tell(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// lookEvery is how often to look at everything, so that the looks alone are signs of
// life in time. Zero: as often as usual.
func (m *manager) lookEvery() time.Duration {
	const usual = 5 * time.Minute
	if m.watch == 0 || m.watch/4 >= usual {
		return 0
	}
	return m.watch / 4
}

// watchdog gives a sign of life if a look has begun since the last one, and so none
// while a look hangs, or the loop that looks. With a look every quarter of the time,
// and the count read as often, signs are at most half of the time apart.
func (m *manager) watchdog(ctx context.Context, looks *atomic.Uint64) {
	if m.watch == 0 {
		return
	}
	tick := time.NewTicker(max(1, m.watch/4))
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
			m.tell("WATCHDOG=1")
		}
	}
}
