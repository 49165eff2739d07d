package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/explain"
)

// Plan -impact names the packets that go another way, with the names of the uplinks.
func TestImpact(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	stdout, _ := h.run(exitPending, "-impact", "plan")
	for _, want := range []string{
		"\nPackets that go another way:\n    from ",
		"\n        via 192.168.1.1 dev eth0 (lan1) → via 192.168.2.1 dev eth1 (lan2)\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("plan -impact:\n%s\nwant %q", stdout, want)
		}
	}
	if !strings.HasSuffix(stdout, "\nNothing else changes.\n") {
		t.Errorf("plan -impact ends with\n%s", stdout)
	}
	var o struct{ Impact []impact }
	stdout, _ = h.run(exitPending, "-json", "-impact", "plan")
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || len(o.Impact) == 0 {
		t.Errorf("plan -json -impact: %v\n%s", err, stdout)
	}
	// The kernel takes each example as the report says: the first way now, and the second
	// one after up.
	ways := func(when string, way func(impact) string) {
		w, err := explain.Take(t.Context(), h.conn)
		if err != nil {
			t.Fatal(err)
		}
		f := explain.NewFIB(w)
		for _, c := range o.Impact {
			p, err := explain.ParsePacket(c.Example)
			if err != nil {
				t.Fatal(err)
			}
			d := f.Decide(&p)
			q, _ := lookupOf(&w, &p)
			got := h.wayOut(q)
			if a := (&kernel{ctx: t.Context(), conn: h.conn}).ask(f, &p, &d); !a.Agrees && a.Unknown == "" ||
				strings.HasPrefix(way(c), "via ") && !strings.HasPrefix(way(c), "via "+strings.Join(reversed(strings.Fields(got)), " dev ")) {
				t.Errorf("%s %s goes %s, and the kernel has %s, %+v", when, c.Example, way(c), got, a)
			}
		}
	}
	ways("before", func(c impact) string { return c.Before })
	h.run(exitOK, "up")
	ways("after", func(c impact) string { return c.After })
	h.want("nothing to change\nNo packet goes another way.\n", exitOK, "-impact", "plan")
	stdout, _ = h.run(exitOK, "-json", "-impact", "plan")
	if !strings.Contains(stdout, "\n  \"impact\": []\n") {
		t.Errorf("plan -json -impact with nothing to change:\n%s", stdout)
	}
}

func reversed(words []string) []string {
	if len(words) == 2 {
		words[0], words[1] = words[1], words[0]
	}
	return words
}

// If the impact cannot be found out, a warning says so, and nothing else changes.
func TestImpactUnknown(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := session{ctx: ctx, conn: h.conn}
	p, err := table.PlanInstall(t.Context(), h.conn)
	if err != nil {
		t.Fatal(err)
	}
	s.recordImpact(p)
	if s.report.Impact != nil || len(s.report.Warnings) != 1 ||
		!strings.HasPrefix(s.report.Warnings[0], "which packets go another way is not known: ") {
		t.Errorf("%+v", s.report)
	}
	var b strings.Builder
	s.report.writeImpact(&b)
	if b.String() != "" {
		t.Errorf("it prints %s", &b)
	}
}
