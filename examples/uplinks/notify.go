package main

import (
	"context"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// A manager is the service manager, systemd, as sd_notify(3) and sd_watchdog(3)
// describe it: text in datagrams to a socket whose path is in the environment. The
// zero manager asks for nothing, and is told nothing.
type manager struct {
	socket  string        // NOTIFY_SOCKET
	watch   time.Duration // WATCHDOG_USEC: how long it waits for a sign of life
	journal bool          // JOURNAL_STREAM: standard error goes to the journal
}

func newManager(getenv func(string) string) manager {
	m := manager{socket: getenv("NOTIFY_SOCKET"), journal: getenv("JOURNAL_STREAM") != ""}
	if fi, err := os.Stderr.Stat(); err == nil && fi.Mode()&os.ModeCharDevice != 0 {
		m.journal = false // a terminal, in a session that has the variable
	}
	pid := getenv("WATCHDOG_PID")
	if n, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 53); err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
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

// lookEvery is how often to look at everything, so that each look is a sign of life
// in time. Zero: as often as usual.
func (m *manager) lookEvery() time.Duration {
	const usual = 5 * time.Minute
	if m.watch == 0 || m.watch/4 >= usual {
		return 0
	}
	return m.watch / 4
}

// watchdog gives signs of life as long as the count of looks goes up.
func (m *manager) watchdog(ctx context.Context, looks *atomic.Uint64) {
	if m.watch == 0 {
		return
	}
	tick := time.NewTicker(m.watch / 4)
	defer tick.Stop()
	last := uint64(0)
	for {
		if n := looks.Load(); n != last {
			last = n
			m.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
