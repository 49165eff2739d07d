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

// A manager is the service manager, systemd. It is notified with text in datagrams to a
// socket whose name is in the environment, see sd_notify(3) and sd_watchdog(3). The zero
// manager is not notified.
type manager struct {
	socket          string        // NOTIFY_SOCKET
	watchdogTimeout time.Duration // WATCHDOG_USEC: how long it waits for a notification
	journal         bool          // JOURNAL_STREAM: standard error goes to the journal
}

func newManager(getenv func(string) string) manager {
	m := manager{socket: getenv("NOTIFY_SOCKET"), journal: isStream(os.Stderr, getenv("JOURNAL_STREAM"))}
	pid := getenv("WATCHDOG_PID")
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m // the watchdog is for another process
	}
	if n, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 53); err == nil {
		m.watchdogTimeout = time.Duration(min(n, uint64(time.Hour.Microseconds()))) * time.Microsecond
	}
	return m
}

// notify sends a state. It ignores errors.
func (m *manager) notify(state string) {
	if m.socket == "" {
		return
	}
	// Package net and NOTIFY_SOCKET both write an abstract socket with a leading @.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(state))
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
			m.notify("WATCHDOG=1")
		}
	}
}
