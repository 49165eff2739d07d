package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// For any words, the program reports a fault of the words, or that it cannot reach the
// kernel, which is so in this test.
func FuzzCommand(f *testing.F) {
	recorded, err := os.ReadFile("testdata/recorded.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(recorded)) {
		if command, ok := strings.CutPrefix(line, "$ ip "); ok {
			f.Add(command, "")
		}
	}
	f.Add("rule restore", "\x86\x69\x70\x71hello")
	f.Add("rule add 'from' \"all\"", "")
	names := &route.Names{Files: new(rttables.Names), Links: new(route.Links)}
	f.Fuzz(func(t *testing.T, line, in string) {
		args, err := splitWords(line)
		if err != nil {
			return
		}
		var out, stderr bytes.Buffer
		p := &program{in: strings.NewReader(in), out: &out, err: &stderr, names: names}
		w := &words{args: args}
		if err = p.readOptions(w); err == nil && w.more() {
			p.netns = "/nonexistent/netns" // no kernel
			err = p.command(w)
		}
		var failed *failure
		switch {
		case err == nil && !w.more(), errors.Is(err, errVersion):
		case !errors.As(err, &failed):
			t.Errorf("%q: %v", line, err)
		case failed.status == 0 || failed.text == "" || strings.HasSuffix(failed.text, "\n"):
			t.Errorf("%q: %#v", line, failed)
		}
	})
}

// A rule or a route that was parsed can be encoded.
func FuzzModify(f *testing.F) {
	for _, s := range []string{
		"from 192.168.1.6 table 10", "pref 5 nop", "10.0.0.0/8 via 192.168.1.1 mtu lock 1400",
		"default nexthop via 192.168.1.1 nexthop dev if5 weight 7", "bl 2001:db8::/32 met 5", "any from default",
		"100 as to 200/300 via inet 192.0.2.1",
	} {
		f.Add(s, byte(0))
		f.Add(s, byte(route.IPv6))
	}
	names := &route.Names{Files: new(rttables.Names), Links: new(route.Links)}
	f.Fuzz(func(t *testing.T, line string, family byte) {
		args := strings.Fields(line)
		p := &program{names: names, err: new(bytes.Buffer), options: options{netns: "/nonexistent/netns"}}
		if p.family = route.Family(family); p.family != route.IPv4 && p.family != route.IPv6 && p.family != route.MPLS {
			p.family = 0
		}
		for _, verb := range []string{"add", "del"} {
			if r, err := p.parseRule(verb, args); err == nil {
				if _, err := r.MarshalBinary(); err != nil && p.family != 0 {
					t.Errorf("rule %s %q: %v", verb, line, err)
				}
			}
		}
		for _, k := range routeCommands[:7] {
			var failed *failure
			if err := k.read(p, &words{args: args}); !errors.As(err, &failed) {
				t.Errorf("route %v %q: %v", k.short, line, err)
			}
		}
	})
}
