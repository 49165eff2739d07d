package health

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// The verdict changes after so many results in a row, and not before.
func TestTally(t *testing.T) {
	h := Probe{Failures: 3, Successes: 2}
	for _, c := range []struct {
		results string // + succeeds, - fails
		news    string // H healthy, U unhealthy, . nothing
	}{
		{"+++", "H.."},
		{"---", "..U"},
		{"--+--+--+", "..H......"},
		{"+--+---", "H.....U"},
		{"---+-++", "..U...H"},
		{"---+-+-+-++", "..U.......H"},
		{"------++---", "..U....H..U"},
	} {
		var v tally
		var got strings.Builder
		for _, r := range c.results {
			switch {
			case !v.add(r == '+', &h):
				got.WriteByte('.')
			case v.unhealthy:
				got.WriteByte('U')
			default:
				got.WriteByte('H')
			}
		}
		if got.String() != c.news {
			t.Errorf("%s: %s, want %s", c.results, &got, c.news)
		}
	}
	// One of each is enough if it is asked for.
	h = Probe{Failures: 1, Successes: 1}
	var v tally
	for i, ok := range []bool{false, true, false, true} {
		if !v.add(ok, &h) {
			t.Errorf("result %d makes no difference", i)
		}
	}
}

// The zero values are those that the comments promise.
func TestDefaults(t *testing.T) {
	got := Probe{}.withDefaults()
	if got.Interval != 5*time.Second || got.Timeout != 2*time.Second || got.Failures != 3 || got.Successes != 2 {
		t.Errorf("%+v", got)
	}
	if got := (Probe{Interval: time.Second}).withDefaults(); got.Timeout != time.Second {
		t.Errorf("timeout %v, want that of the interval", got.Timeout)
	}
}

// A verdict that nobody has asked the earlier Prober for is returned by the one that
// continues it, which would not come to that verdict again.
func TestContinueReturnsVerdict(t *testing.T) {
	probe := Probe{Echo: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Failures: 1}
	earlier := NewProber(Config{Probe: probe})
	earlier.SetSources(netip.MustParseAddr("192.0.2.2"))
	earlier.record(errors.New("no answer"))
	p := NewProber(Config{Probe: probe, Continue: earlier})
	if got := p.Verdicts(); len(got) != 1 || got[0].Healthy {
		t.Errorf("the verdicts are %v, want one that the way is unhealthy", got)
	}
	p.SetSources(netip.MustParseAddr("192.0.2.2"))
	p.record(errors.New("no answer"))
	if got := p.Verdicts(); len(got) != 0 {
		t.Errorf("the verdicts are %v once more", got)
	}
}
