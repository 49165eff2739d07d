package health_test

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/health"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

var source = netip.MustParseAddr("192.0.2.2")

// run sends a probe of the process's own namespace, and returns a channel of its
// verdicts and what ends it.
func run(t *testing.T, probe health.Probe, before *health.Prober) (*health.Prober, <-chan health.Verdict, func()) {
	t.Helper()
	verdicts := make(chan health.Verdict, 100)
	probe.Interval = time.Millisecond
	var p *health.Prober
	p = health.NewProber(health.Config{Probe: probe, Continue: before, Changed: func() {
		for _, v := range p.Verdicts() {
			verdicts <- v
		}
	}})
	p.SetSources(netip.Addr{}, source) // the first is none
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	end := func() { cancel(); wg.Wait() }
	t.Cleanup(end)
	return p, verdicts, end
}

// await returns the next verdict.
func await(t *testing.T, verdicts <-chan health.Verdict, healthy bool) error {
	t.Helper()
	select {
	case v := <-verdicts:
		if v.Healthy != healthy {
			t.Fatalf("healthy %t: %v", v.Healthy, v.Err)
		}
		return v.Err
	case <-time.After(patience):
		t.Fatalf("no verdict, want healthy %t", healthy)
		return nil
	}
}

// until waits for something.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// A probe ends with its timeout. Nothing is left when Run has returned.
func TestTimeout(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	_, verdicts, end := run(t, health.Probe{
		Timeout: 10 * time.Millisecond,
		Func: func(ctx context.Context, from netip.Addr, _ health.DialFunc) error {
			if from != source {
				return errors.New("source " + from.String())
			}
			<-ctx.Done()
			return ctx.Err()
		},
	}, nil)
	if err := await(t, verdicts, false); testrun.Error(err) != "probe: no answer within 10ms" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it says %v", err)
	}
	end()
	until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// A Func that ignores its context has failed. It is not called again before it has
// returned, also by a Prober that continues the first one, and is left behind at the
// end.
func TestFuncThatDoesNotReturn(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	release := make(chan struct{})
	var calls atomic.Int64
	probe := health.Probe{
		Timeout: 10 * time.Millisecond, Successes: 1,
		Func: func(context.Context, netip.Addr, health.DialFunc) error {
			calls.Add(1)
			<-release
			return nil
		},
	}
	first, verdicts, end := run(t, probe, nil)
	if err := await(t, verdicts, false); !strings.HasPrefix(testrun.Error(err), "probe: the function ") || !strings.Contains(testrun.Error(err), "has not returned") {
		t.Errorf("it says %v", err)
	}
	begin := time.Now()
	end()
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("Run took %v to return", d)
	}
	_, verdicts, end = run(t, probe, first)
	time.Sleep(100 * time.Millisecond)
	if got := calls.Load(); got != 1 {
		t.Errorf("it was called %d times, and has not returned once", got)
	}
	close(release)
	// The next one begins as unhealthy, and is called again.
	if err := await(t, verdicts, true); err != nil || calls.Load() < 2 {
		t.Errorf("after %d calls: %v", calls.Load(), err)
	}
	end()
	until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// A Prober that continues another one begins with its verdict; one that does not
// takes the way for healthy.
func TestContinue(t *testing.T) {
	var fails atomic.Bool
	var calls atomic.Int64
	probe := health.Probe{Func: func(context.Context, netip.Addr, health.DialFunc) error {
		calls.Add(1)
		if fails.Load() {
			return errors.New("as the test says")
		}
		return nil
	}}
	fails.Store(true)
	first, verdicts, end := run(t, probe, nil)
	if err := await(t, verdicts, false); testrun.Error(err) != "probe: as the test says" {
		t.Errorf("it says %v", err)
	}
	end()

	second, verdicts, _ := run(t, probe, first)
	begin := calls.Load()
	until(t, "more probes", func() bool { return calls.Load() > begin+10 })
	if len(verdicts) > 0 {
		t.Errorf("the verdict of the first is given again: %v", <-verdicts)
	}
	fails.Store(false)
	await(t, verdicts, true)

	// Without sources, no probes are sent, and the verdict stays.
	second.SetSources()
	time.Sleep(20 * time.Millisecond) // one that was under way
	begin = calls.Load()
	time.Sleep(50 * time.Millisecond)
	if got := calls.Load() - begin; got > 0 {
		t.Errorf("%d probes without a source", got)
	}
	fails.Store(true)
	second.SetSources(source)
	await(t, verdicts, false)

	_, verdicts, _ = run(t, probe, nil)
	await(t, verdicts, false) // three failures, of which the first one says nothing
}

// A probe that cannot be made says nothing about the way, and is reported once for
// each reason.
func TestCannotProbe(t *testing.T) {
	var reason atomic.Value
	var calls atomic.Int64
	reason.Store("no paper")
	_, verdicts, _ := run(t, health.Probe{Func: func(context.Context, netip.Addr, health.DialFunc) error {
		calls.Add(1)
		return &health.Error{Probe: "letter", Err: errors.New(reason.Load().(string))}
	}}, nil)
	if err := await(t, verdicts, true); testrun.Error(err) != "cannot probe: letter: no paper" {
		t.Errorf("it says %v", err)
	}
	until(t, "more probes", func() bool { return calls.Load() > 10 })
	if len(verdicts) > 0 {
		t.Errorf("it says %v as well", <-verdicts)
	}
	reason.Store("no ink")
	if err := await(t, verdicts, true); testrun.Error(err) != "cannot probe: letter: no ink" {
		t.Errorf("it says %v", err)
	}
}

// Reasons against a probe have no subject.
func TestValidate(t *testing.T) {
	addr := netip.MustParseAddr
	none := func(context.Context, netip.Addr, health.DialFunc) error { return nil }
	for want, p := range map[string]health.Probe{
		"has nothing to probe: set TCP, Echo or Func":                                     {},
		"has a negative Interval, Timeout, Failures or Successes":                         {Echo: []netip.Addr{addr("192.0.2.1")}, Interval: -1},
		"192.0.2.1:0 has no port to connect to":                                           {TCP: []netip.AddrPort{netip.AddrPortFrom(addr("192.0.2.1"), 0)}},
		"an address is not set":                                                           {Echo: []netip.Addr{{}}},
		"2001:db8::1 is not of the uplink's family":                                       {Echo: []netip.Addr{addr("2001:db8::1")}},
		"::ffff:192.0.2.1 is an IPv4 address written as an IPv6 address: write 192.0.2.1": {Echo: []netip.Addr{addr("::ffff:192.0.2.1")}},
		"127.0.0.1 cannot be reached through an uplink":                                   {Echo: []netip.Addr{addr("127.0.0.1")}},
		"fe80::1%eth0 cannot be reached through an uplink":                                {Echo: []netip.Addr{addr("fe80::1%eth0")}},
	} {
		if err := p.Validate(route.IPv4); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, p := range []health.Probe{
		{Func: none}, {Echo: []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1")}},
		{TCP: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443")}},
	} {
		if err := p.Validate(route.IPv4, route.IPv6); err != nil {
			t.Errorf("%s: %v", &p, err)
		}
	}
	p := health.Probe{
		TCP: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:443")}, Echo: []netip.Addr{addr("192.0.2.1")}, Func: none,
	}
	if got := p.String(); got != "tcp [2001:db8::1]:443, echo 192.0.2.1, probe" {
		t.Errorf("it is called %s", got)
	}
}

// What has not been validated is no reason to panic.
func TestInvalidProbe(t *testing.T) {
	for _, p := range []health.Probe{
		{}, {Echo: []netip.Addr{{}}}, {TCP: []netip.AddrPort{{}}}, {Echo: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1")}},
		{Echo: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}, Failures: -1, Successes: -1},
	} {
		_, verdicts, _ := run(t, p, nil)
		select {
		case v := <-verdicts:
			if v.Err == nil {
				t.Errorf("%s succeeds", &p)
			}
		case <-time.After(patience):
			t.Errorf("%s: no verdict", &p)
		}
	}
}
