package fibtrace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// isHostRoot reports whether this process is root of the host, and not only of a user
// namespace.
func isHostRoot(t *testing.T) bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return os.Geteuid() == 0 && slices.Equal(strings.Fields(string(b)), []string{"0", "0", "4294967295"})
}

// open opens a Tracer. It returns nil for an ordinary user, after it has looked at the error.
func open(t *testing.T, config *Config) *Tracer {
	t.Helper()
	tracer, err := Open(config)
	if !isHostRoot(t) {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "sudo") {
			t.Fatalf("for an ordinary user: %v", err)
		}
		t.Log("no tracepoints for an ordinary user")
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tracer.Close(); err != nil {
			t.Error(err)
		}
	})
	return tracer
}

// network is a namespace with two interfaces and a rule for each of two tables.
func network(t *testing.T) *route.Socket {
	t.Helper()
	ns := lab.Test(t).NS("host")
	for i, dev := range []string{"d1", "d2"} {
		ns.Link(dev, ns, dev+"p")
		ns.Addr(dev, fmt.Sprintf("100.77.%d.2/24", i+1), fmt.Sprintf("2001:db8:7700:%d::2/64", i+1))
	}
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for _, words := range []string{"from 100.77.1.2 lookup 20 pref 100", "to 100.79.0.0/16 lookup 20 pref 200", "from 2001:db8:7700:1::2 lookup 20 pref 100"} {
		r, err := rule.Parse(words, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := rule.Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, words := range []string{"100.79.0.0/16 via 100.77.2.1 table 20", "default via 100.77.1.1", "default via 2001:db8:7700:2::1 table 20", "unreachable 100.78.0.0/16 table 20"} {
		r, err := route.Parse(words, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := route.Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// lookUp asks the kernel, and returns the events in short.
func lookUp(t *testing.T, tracer *Tracer, c route.Conn, q route.Query) (sequence []string) {
	t.Helper()
	_, _ = route.Lookup(t.Context(), c, q)
	events, err := tracer.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Dst != q.Dst {
			continue // the kernel looks at the source as well
		}
		s := fmt.Sprintf("%d %s", e.Table, e.Dev)
		if e.Gateway.IsValid() {
			s += " " + e.Gateway.String()
		}
		if e.Err != 0 {
			s = fmt.Sprintf("%d %v", e.Table, e.Err)
		}
		sequence = append(sequence, s)
	}
	return sequence
}

// The events are the tables in the order in which the kernel asks them.
func TestKernelSequence(t *testing.T) {
	c := network(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tracer := open(t, &Config{PID: unix.Gettid()})
	if tracer == nil {
		return
	}
	again := syscall.EAGAIN.Error()
	for _, test := range []struct {
		from, to string
		want     []string
	}{
		{"", "100.79.0.1", []string{"255 " + again, "20 d2 100.77.2.1"}},
		{"100.77.1.2", "100.77.7.1", []string{"255 " + again, "20 " + again, "254 d1 100.77.1.1"}},
		{"100.77.1.2", "100.78.0.1", []string{"255 " + again, "20 " + syscall.EHOSTUNREACH.Error()}},
		{"2001:db8:7700:1::2", "2001:db8:7700:9::1", []string{"255 " + syscall.EHOSTUNREACH.Error(), "20 d2 2001:db8:7700:2::1"}},
	} {
		q := route.Query{Dst: netip.MustParseAddr(test.to)}
		if test.from != "" {
			q.Src = netip.MustParseAddr(test.from)
		}
		if got := lookUp(t, tracer, c, q); !slices.Equal(got, test.want) {
			t.Errorf("from %q to %s: %q, want %q", test.from, test.to, got, test.want)
		}
	}
	if lost, err := tracer.Lost(); lost != 0 || err != nil {
		t.Errorf("%d events are lost, %v", lost, err)
	}
}

// Filters select by address, and an instance does not see what others select.
func TestKernelFilter(t *testing.T) {
	c := network(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	one := open(t, &Config{Family: 4, Dst: netip.MustParsePrefix("100.79.0.1/32")})
	if one == nil {
		return
	}
	many := open(t, &Config{Dst: netip.MustParsePrefix("100.79.0.0/16"), Src: netip.MustParsePrefix("100.77.1.2/32")})
	six := open(t, &Config{Dst: netip.MustParsePrefix("2001:db8:7700:9::/64"), PID: unix.Gettid()})
	for _, q := range []route.Query{
		{Dst: netip.MustParseAddr("100.79.0.1")},
		{Dst: netip.MustParseAddr("100.79.0.2"), Src: netip.MustParseAddr("100.77.1.2")},
		{Dst: netip.MustParseAddr("2001:db8:7700:9::1"), Src: netip.MustParseAddr("2001:db8:7700:1::2")},
	} {
		if _, err := route.Lookup(t.Context(), c, q); err != nil {
			t.Fatal(err)
		}
	}
	for i, test := range []struct {
		tracer *Tracer
		want   string
	}{{one, "100.79.0.1"}, {many, "100.79.0.2"}, {six, "2001:db8:7700:9::1"}} {
		events, err := test.tracer.Read(nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			t.Errorf("tracer %d has no events", i)
		}
		for _, e := range events {
			if e.Dst.String() != test.want {
				t.Errorf("tracer %d: %s", i, e)
			}
		}
	}
}

// A full buffer loses events, which are counted. Events of all processors come in the order
// of time.
func TestKernelLost(t *testing.T) {
	c := network(t)
	tracer := open(t, &Config{Dst: netip.MustParsePrefix("100.79.0.0/16"), BufferKB: 8})
	if tracer == nil {
		return
	}
	queries := make([]route.Query, 2000)
	for i := range queries {
		queries[i].Dst = netip.AddrFrom4([4]byte{100, 79, byte(i >> 8), byte(i)})
	}
	for _, err := range route.LookupAll(t.Context(), c, queries) {
		if err != nil {
			t.Fatal(err)
		}
	}
	events, err := tracer.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	lost, err := tracer.Lost()
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 || lost == 0 || len(events)+int(lost) < 4000 {
		t.Errorf("%d events, %d lost, of 4000", len(events), lost)
	}
	if !slices.IsSortedFunc(events, func(a, b Event) int { return int(a.Time - b.Time) }) {
		t.Error("the events are not in the order of time")
	}
}

// Events ends with its context, and Close leaves no instance.
func TestKernelEvents(t *testing.T) {
	c := network(t)
	tracer := open(t, &Config{Dst: netip.MustParsePrefix("100.79.0.1/32")})
	if tracer == nil {
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, _ = route.Lookup(ctx, c, route.Query{Dst: netip.MustParseAddr("100.79.0.1")})
	}()
	var last error
	n := 0
	for e, err := range tracer.Events(ctx) {
		if err != nil {
			last = err
			break
		}
		if n++; e.Table == 20 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n < 2 {
		t.Errorf("%d events, then %v", n, last)
	}
	name := path.Base(tracer.instance)
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	wantNoInstance(t, name)
}

// wantNoInstance fails the test if there is an instance.
func wantNoInstance(t *testing.T, name string) {
	t.Helper()
	root, err := openTracefs()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	names, err := root.list(instances)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(names, name) {
		t.Errorf("the instance %s is there", name)
	}
}

// What a killed process leaves is removed by the next Open, but not what a living one has.
func TestKernelStale(t *testing.T) {
	if path := os.Getenv("POLICYROUTE_FIBTRACE_STALE"); path != "" {
		tracer, err := Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("instance %s\n", tracer.instance)
		time.Sleep(time.Hour)
	}
	living := open(t, nil)
	if living == nil {
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKernelStale$")
	cmd.Env = append(os.Environ(), "POLICYROUTE_FIBTRACE_STALE=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	if _, err := fmt.Fscanf(out, "instance instances/%s\n", &name); err != nil {
		t.Fatal(err)
	}
	if isStale(name) || isStale(path.Base(living.instance)) || isStale("other-1-1-1") {
		t.Error("an instance of a living process, or of others, is stale")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	open(t, nil)
	wantNoInstance(t, name)
	if _, err := living.Read(nil); err != nil {
		t.Error(err)
	}
}
