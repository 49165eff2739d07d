package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// busyReport returns a report with everything that a status can have.
func busyReport(now time.Time) *report {
	received, sent, connections := 12_345_678.0, 999.6, 1234
	e := &entry{
		Name: "a-provider-with-a-long-name", Table: 10, Family: "inet6", Dev: "enp0s31f6", Via: "fe80::1", State: stateIncomplete,
		Missing: []string{"route default via fe80::1 dev enp0s31f6 table 10 proto 210 src 2001:db8::1 metric 1024 pref medium"},
		Traffic: &traffic{ReceivedBytes: 1, SentBytes: 2, ReceivedRate: &received, SentRate: &sent}, Connections: &connections, MoreConnections: true,
	}
	for i := range 20 {
		e.Sources = append(e.Sources, fmt.Sprintf("2001:db8:1234:5678::%d", i))
	}
	return &report{
		Uplinks: []*entry{e, {Name: "b\x1b[2J", Family: "inet", Dev: "eth1", State: stateComplete}},
		Maintainer: &maintainer{
			PID: 7, Since: now.Add(-time.Hour),
			Uplinks: []*lineStatus{{
				Name: e.Name, Family: "inet6", State: linePending, Reason: "it\nrains", Since: now.Add(-50 * time.Hour),
				Probed: true, Health: "unhealthy", LastProbe: now.Add(-3 * time.Second), ProbeError: "no \x1b[31m answer",
			}},
			Events: []loggedEvent{{1, now.Add(-100 * time.Second), "error", "uplink " + strings.Repeat("word ", 40)}},
		},
	}
}

// On a terminal every line fits, however narrow it is, and a wide one shows more.
func TestStatusFits(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		columns int
		header  string
	}{
		{40, "NAME STATE"},
		{80, "NAME FAMILY DEV STATE SINCE HEALTH"},
		{100, "NAME FAMILY DEV STATE SINCE HEALTH IN OUT"},
		{200, "NAME FAMILY DEV STATE SINCE HEALTH IN OUT TCP TABLE VIA SOURCES"},
	} {
		var b bytes.Buffer
		term := terminal{columns: c.columns}
		if err := writeLines(&b, term, busyReport(now).statusLines(term, now, 5)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		if strings.Join(strings.Fields(lines[0]), " ") != c.header {
			t.Errorf("%d columns: the header is\n%s\nwant\n%s", c.columns, lines[0], c.header)
		}
		if !strings.Contains(b.String(), " 1m ago  uplink word") || !strings.Contains(b.String(), "\n            word") {
			t.Errorf("a terminal of %d columns gets the events as\n%s", c.columns, &b)
		}
		for _, l := range lines {
			if utf8.RuneCountInString(l) > c.columns {
				t.Errorf("a terminal of %d columns gets %d:\n%s", c.columns, utf8.RuneCountInString(l), l)
			}
		}
	}
}

// Colors are for a terminal that has them. All other control characters are shown as text.
func TestStatusColors(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var colored, plainText bytes.Buffer
	for b, term := range map[*bytes.Buffer]terminal{&colored: {columns: 200, color: true}, &plainText: {columns: 200}} {
		if err := writeLines(b, term, busyReport(now).statusLines(term, now, 5)); err != nil {
			t.Fatal(err)
		}
	}
	text := colored.String()
	if !strings.Contains(text, "\x1b[31mincomplete\x1b[0m") || !strings.Contains(text, "\x1b[32mcomplete\x1b[0m") {
		t.Errorf("there are no colors:\n%q", text)
	}
	for _, s := range []style{bold, dim, red, green, yellow} {
		text = strings.ReplaceAll(text, "\x1b["+string(s)+"m", "")
	}
	text = strings.ReplaceAll(text, "\x1b[0m", "")
	if text != plainText.String() {
		t.Errorf("without colors it is\n%s\nand with colors\n%s", &plainText, text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }); i >= 0 {
		t.Errorf("it prints %q", text[i:])
	}
	if got := (line{{"a\x1b[2J\n", red}}).render(true); got != "\x1b[31ma\\x1b[2J\\x0a\x1b[0m" {
		t.Errorf("a text is rendered as %q", got)
	}
	if !strings.Contains(text, `b\x1b[2J`) || !strings.Contains(text, `no \x1b[31m answer`) {
		t.Errorf("it does not show control characters:\n%s", text)
	}
}

func TestRateText(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0B/s", 999.4: "999B/s", 999.6: "1.0kB/s", 12_345: "12.3kB/s", 99_960: "100kB/s", 1e6: "1.0MB/s", 1.25e9: "1.2GB/s", 5e15: "5000TB/s",
	} {
		if got := rateText(&v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
	if got := rateText(nil); got != "" {
		t.Errorf("no rate is %q", got)
	}
}

func TestAgeText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m", 59*time.Minute + 59*time.Second: "59m",
		2*time.Hour + 5*time.Minute: "2h5m", 50 * time.Hour: "2d2h", 5000 * time.Hour: "208d",
	} {
		if got := ageText(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
