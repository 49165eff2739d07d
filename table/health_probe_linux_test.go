package table_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// Echo requests take a group that the kernel allows, and a new namespace allows none.
// They say nothing of the uplink then.
func TestHealthEcho(t *testing.T) {
	t.Parallel()
	forFamilies(t, func(t *testing.T, n *network, f family) {
		cut, mend := n.breakable(f)
		h := table.Health{Echo: []netip.Addr{netip.MustParseAddr(f.client)}, Withdraw: true}
		k := n.maintain(table.MaintainConfig{}, probed(n.alsoMarked(f), h))
		at := k.await(0, "it cannot probe", func(e table.Event) bool {
			var cannot *table.ProbeError
			return e.Kind == table.EventFailed && errors.As(e.Err, &cannot) && errors.Is(e.Err, fs.ErrPermission)
		})
		want := "uplink lan2 " + map[family]string{ip4: "IPv4", ip6: "IPv6"}[f] + " failed: cannot probe: echo " + f.client +
			": permission denied: net.ipv4.ping_group_range has no group of this process"
		if got := k.log()[at-1].String(); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
		probes := k.counters.Probes.Load()
		k.until("more probes", func() bool { return k.counters.Probes.Load() > probes+5 })
		if n := len(k.log()); n != at {
			t.Errorf("it is told more than once, or taken for a verdict:\n%s", k.text())
		}
		// Now it may.
		n.server.Sysctl("net.ipv4.ping_group_range", "0 0")
		from := k.awaitKind(at, table.EventHealthy)
		from2 := func(p lab.Packet) bool {
			return !p.Out && p.Src.Addr().String() == f.a2 && (p.Proto == 1 || p.Proto == 58)
		}
		if n.g2.Wait(1, from2, patience) == 0 || n.g1.Count(from2) > 0 {
			t.Error("echo requests do not leave by the uplink")
		}
		cut("g2")
		from = k.awaitKind(from, table.EventUnhealthy)
		mend("g2")
		k.awaitKind(from, table.EventHealthy)
		k.until("Also is back", func() bool { return strings.Contains(n.ours(20), "fwmark 0x2") })
	})
}

// A probe ends with its timeout, whatever it does, and holds up nothing else. Nothing
// is left when Maintain has returned but what does not return.
func TestHealthProbeBlocks(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	goroutines := runtime.NumGoroutine()
	patient := table.Health{Probe: func(ctx context.Context, _ netip.Addr, _ table.DialFunc) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	k := n.maintain(table.MaintainConfig{Rate: 100}, probed(n.uplink2(ip4), patient))
	at := k.awaitKind(0, table.EventUnhealthy)
	if got := k.log()[at-1].String(); got != "uplink lan2 IPv4 unhealthy: probe: no answer within 300ms" {
		t.Errorf("it says %q", got)
	}
	k.stop()
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// One that ignores its context.
	release := make(chan struct{})
	var calls atomic.Int64
	stubborn := table.Health{Probe: func(context.Context, netip.Addr, table.DialFunc) error {
		calls.Add(1)
		<-release
		return nil
	}}
	update := make(chan table.MaintainUpdate)
	k = n.maintain(table.MaintainConfig{Rate: 100, Update: update}, probed(n.uplink2(ip4), stubborn))
	whole := n.ours(20)
	from := k.awaitKind(0, table.EventUnhealthy)
	update <- table.MaintainUpdate{Uplinks: []table.MaintainedUplink{probed(n.uplink2(ip4), stubborn)}}
	k.awaitKind(from, table.EventReady)
	probes := k.counters.Probes.Load()
	k.until("another probe", func() bool { return k.counters.Probes.Load() > probes })
	if got := calls.Load(); got != 1 {
		t.Errorf("it was called %d times, and has not returned once", got)
	}
	if _, err := route.Flush(t.Context(), n.dial(n.server), route.Filter{Table: 20}); err != nil {
		t.Fatal(err)
	}
	k.until("the uplink is repaired meanwhile", func() bool { return n.ours(20) == whole })
	begin := time.Now()
	k.stop()
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("it took Maintain %v to return", d)
	}
	close(release)
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })

	// One that comes back late is called again.
	late := table.Health{Probe: func(context.Context, netip.Addr, table.DialFunc) error {
		if calls.Add(1) < 4 {
			time.Sleep(2 * time.Second)
		}
		return nil
	}}
	k = n.maintain(table.MaintainConfig{}, probed(n.uplink2(ip4), late))
	k.awaitKind(k.awaitKind(0, table.EventUnhealthy), table.EventHealthy)
	k.stop()
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// A probe of the caller's own is in the uplink's namespace, with its address and its
// mark, also by a client of which goroutines of its own open the connections.
func TestHealthProbeNamespace(t *testing.T) {
	forFamilies(t, func(t *testing.T, n *network, f family) {
		l, err := n.net.Listen(f.tcp, net.JoinHostPort(f.client, "80"))
		if err != nil {
			t.Fatal(err)
		}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "you are "+r.RemoteAddr)
		})}
		go server.Serve(l)
		defer server.Close()
		// A name that the hosts file has for IPv4, wherever the test runs.
		name := map[family]string{ip4: "localhost", ip6: "::1"}[f]
		if _, err := n.server.Listen(f.tcp, net.JoinHostPort(map[family]string{ip4: "127.0.0.1", ip6: "::1"}[f], "81")); err != nil {
			t.Fatal(err)
		}
		const mark = 7
		said := make(chan string, 1)
		h := table.Health{Mark: mark, Probe: func(ctx context.Context, source netip.Addr, dial table.DialFunc) error {
			result := func() string {
				if source.String() != f.a2 {
					return "source " + source.String()
				}
				// Its own socket.
				if l, err := net.Listen(f.tcp, net.JoinHostPort(f.a2, "0")); err != nil {
					return "own socket: " + err.Error()
				} else {
					l.Close()
				}
				if c, err := dial(ctx, "tcp", net.JoinHostPort(name, "81")); err != nil {
					return "by name: " + err.Error()
				} else {
					c.Close()
				}
				if _, err := dial(ctx, "unix", "/x"); err == nil {
					return "a network that is none"
				}
				tr := &http.Transport{DialContext: dial, DisableKeepAlives: true}
				req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+net.JoinHostPort(f.client, "80"), nil)
				resp, err := (&http.Client{Transport: tr}).Do(req)
				if err != nil {
					return "http: " + err.Error()
				}
				defer resp.Body.Close()
				b, _ := io.ReadAll(resp.Body)
				return string(b)
			}()
			select {
			case said <- result:
			default:
			}
			if strings.HasPrefix(result, "you are ") {
				return nil
			}
			return errors.New(result)
		}}
		u := probed(n.uplink2(f), h)
		u.Health.Timeout = 5 * time.Second
		k := n.maintain(table.MaintainConfig{}, u)
		k.awaitKind(0, table.EventHealthy)
		if got := <-said; !strings.HasPrefix(got, "you are "+net.JoinHostPort(f.a2, "")) {
			t.Errorf("the server says %q", got)
		}
		// A rule that refuses the mark is met by the probe.
		refuse := rule.Rule{Family: route.FamilyOf(netip.MustParseAddr(f.a2)), FwMark: rule.FwMark(mark), Action: rule.ActionProhibit, Priority: rule.Priority(5)}
		if err := rule.Add(t.Context(), n.c, refuse); err != nil {
			t.Fatal(err)
		}
		k.awaitKind(0, table.EventUnhealthy)
		k.stop()
		// The control: without the mark it is not.
		u.Health.Mark = 0
		k = n.maintain(table.MaintainConfig{}, u)
		k.awaitKind(0, table.EventHealthy)
	})
}

// Of several targets one is enough.
func TestHealthTargets(t *testing.T) {
	n := newNetwork(t)
	serve(t, n.net, "tcp4", net.JoinHostPort(ip4.client, "80"))
	h := tcpTo(ip4, 81) // refused
	k := n.maintain(table.MaintainConfig{}, probed(n.uplink2(ip4), h))
	at := k.awaitKind(0, table.EventUnhealthy)
	if got := k.log()[at-1].String(); !strings.Contains(got, "tcp 198.51.100.10:81: connect: connection refused") {
		t.Errorf("it says %q", got)
	}
	k.stop()
	h.TCP = append(h.TCP, tcpTo(ip4, 80).TCP...)
	h.Echo = []netip.Addr{netip.MustParseAddr(ip4.client)} // cannot be made: no group may
	k = n.maintain(table.MaintainConfig{}, probed(n.uplink2(ip4), h))
	k.awaitKind(0, table.EventHealthy)
	probes := k.counters.Probes.Load()
	k.until("more probes", func() bool { return k.counters.Probes.Load() > probes+10 })
	k.stop()
	if strings.Contains(k.text(), "unhealthy") || strings.Contains(k.text(), "failed") {
		t.Errorf("one of three is not enough:\n%s", k.text())
	}
	// What could not be made does not hide what failed.
	h.TCP = h.TCP[:1]
	k = n.maintain(table.MaintainConfig{}, probed(n.uplink2(ip4), h))
	k.awaitKind(0, table.EventUnhealthy)
}

// Descriptors of probes are closed.
func TestHealthLeaks(t *testing.T) {
	n := newNetwork(t)
	n.server.Sysctl("net.ipv4.ping_group_range", "0 0")
	serve(t, n.net, "tcp4", net.JoinHostPort(ip4.client, "80"))
	h := tcpTo(ip4, 80)
	h.TCP = append(h.TCP, tcpTo(ip4, 81).TCP...)
	h.Echo = []netip.Addr{netip.MustParseAddr(ip4.client), netip.MustParseAddr("203.0.113.1")}
	u := probed(n.uplink2(ip4), h)
	u.Health.Interval = time.Millisecond
	open := func() int {
		links, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		sockets := 0
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, "net:")) {
				sockets++
			}
		}
		return sockets
	}
	before, goroutines := open(), runtime.NumGoroutine()
	k := n.maintain(table.MaintainConfig{}, u)
	k.until("200 probes", func() bool { return k.counters.Probes.Load() > 200 })
	k.stop()
	k.until("descriptors are closed", func() bool { return open() <= before })
	k.until("goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}
