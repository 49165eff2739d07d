package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/policyroute/policyroute/internal/capture"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
)

// A tapper is one run of the command tap.
type tapper struct {
	o       options
	uplinks []uplink
	conn    *route.Socket
	reader  *capture.Reader
	host    atomic.Pointer[tapHost]
	out     io.Writer
	stderr  io.Writer
	counts  tapCounts
}

// tapCounts are the last line of tap.
type tapCounts struct {
	Packets uint64 `json:"packets"`
	Right   uint64 `json:"right"`
	Astray  uint64 `json:"astray"`
	Refused uint64 `json:"refused"`
	Other   uint64 `json:"other"`
	Lost    uint64 `json:"lost"`
}

// defineTime defines the option -for of the commands that watch packets.
func defineTime(fs *flag.FlagSet, d *time.Duration) {
	fs.Func("for", "", func(s string) (err error) {
		if *d, err = parseTime(s); err == nil && *d == 0 {
			err = errNoTime
		}
		return err
	})
}

// tap prints the packets that pass the interfaces of the uplinks, and those of uplinks that
// leave by other interfaces astray, until ctx or the time ends.
func tap(ctx context.Context, o options, file *config, stdout, stderr io.Writer) int {
	t := &tapper{o: o, uplinks: file.uplinks, out: stdout, stderr: stderr}
	if o.watchFor > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, o.watchFor)
		defer stop()
	}
	status, err := t.run(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", tapError(err))
		return exitFailure
	}
	return status
}

// tapError returns the text of an error, with the privilege that is missing.
func tapError(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "tap needs CAP_NET_RAW: run it as root"
	case errors.Is(err, errors.ErrUnsupported):
		return "tap works on Linux only"
	}
	return errorText(err)
}

// run opens the sockets, prints the packets, and then the counts.
func (t *tapper) run(ctx context.Context) (int, error) {
	w, conn, err := takeWorld(ctx, t.o)
	if err != nil {
		return exitFailure, err
	}
	defer conn.Close()
	t.conn = conn
	h := newTapHost(w, t.uplinks)
	t.host.Store(h)
	if err := rtnl.Inside(conn, func() (err error) {
		t.reader, err = capture.Open(h.interfaces(), h.sources())
		return err
	}); err != nil {
		return exitFailure, err
	}
	defer t.reader.Close()
	ctx, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		t.follow(ctx)
	}()
	defer func() { stop(); <-followed }()
	cancel := context.AfterFunc(ctx, func() { _ = t.reader.SetReadDeadline(time.Now()) })
	defer cancel()
	if err := t.header(); err != nil {
		return exitFailure, err
	}
	for {
		p, err := t.reader.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			return t.end()
		}
		if err == nil {
			err = t.packet(&p)
		}
		if err != nil {
			return exitFailure, err
		}
	}
}

// follow takes the state of the host when it changes.
func (t *tapper) follow(ctx context.Context) {
	followWorld(ctx, t.conn, func(w explain.World) {
		h := newTapHost(w, t.uplinks)
		if err := t.reader.Select(h.interfaces(), h.sources()); err == nil {
			t.host.Store(h)
		}
	})
}

// header prints the first line, after which no packet is missed.
func (t *tapper) header() error {
	if t.o.json {
		return nil
	}
	_, err := fmt.Fprintf(t.out, "%-15s  %-8s  %-3s  %-7s  %s\n", "TIME", "DEV", "", "PROTO", "PACKET")
	return err
}

// A tapLine is a packet in JSON.
type tapLine struct {
	Time      time.Time  `json:"time"`
	Dev       string     `json:"dev"`
	Direction string     `json:"direction"`
	From      netip.Addr `json:"from"`
	To        netip.Addr `json:"to"`
	IPProto   string     `json:"ipproto"`
	SPort     uint16     `json:"sport,omitempty"`
	DPort     uint16     `json:"dport,omitempty"`
	Mark      uint32     `json:"mark,omitempty"`
	Length    int        `json:"length"`
	judgement
}

// packet counts a packet and prints its line.
func (t *tapper) packet(p *capture.Packet) error {
	h := t.host.Load()
	j, ok := h.judge(p)
	if !ok {
		return nil
	}
	t.counts.Packets++
	switch j.Verdict {
	case tapRight:
		t.counts.Right++
	case tapAstray:
		t.counts.Astray++
	case tapRefused:
		t.counts.Refused++
	case tapOther:
		t.counts.Other++
	}
	direction := "in"
	if p.Out {
		direction = "out"
	}
	dev, proto := h.names[p.IfIndex], route.IPProto(p.Proto).String()
	if t.o.json {
		return json.NewEncoder(t.out).Encode(tapLine{
			p.Time, dev, direction, p.Src.Addr(), p.Dst.Addr(), proto, p.Src.Port(), p.Dst.Port(), p.Mark, p.Length, j,
		})
	}
	words := line{
		{fmt.Sprintf("%-15s  %-8s  %-3s  %-7s  ", p.Time.Format("15:04:05.000000"), dev, direction, proto), plain},
		{endText(p.Src) + " → " + endText(p.Dst) + "  ", plain},
		{j.text(), tapStyles[j.Verdict]},
	}
	return writeLines(t.out, terminalOf(t.out, os.Getenv), []line{words})
}

// tapStyles are how a terminal shows the verdicts.
var tapStyles = map[tapVerdict]style{tapRight: green, tapAstray: red, tapRefused: yellow, tapOther: dim}

// endText returns an address with its port, if it has one.
func endText(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// text returns the verdict in words.
func (j *judgement) text() string {
	s := string(j.Verdict)
	switch {
	case j.Verdict == tapRight && j.Reason != "":
		s += " " + j.Uplink + ", " + j.Reason
	case j.Verdict == tapRight:
		s += " " + j.Uplink
	case j.Reason != "":
		s += ": " + j.Reason
	}
	if j.Rule != nil {
		s += "; " + j.Rule.Text
	}
	return s
}

// end prints the counts.
func (t *tapper) end() (int, error) {
	lost, err := t.reader.Lost()
	if err != nil {
		return exitFailure, err
	}
	c := &t.counts
	c.Lost = lost
	status := exitOK
	if c.Astray > 0 {
		status = exitPending
	}
	if t.o.json {
		return status, json.NewEncoder(t.out).Encode(c)
	}
	text := fmt.Sprintf("%s: %d right, %d astray, %d refused, %d other", plural(int(c.Packets), "packet"), c.Right, c.Astray, c.Refused, c.Other)
	if c.Lost > 0 {
		text += fmt.Sprintf("; %d more came faster than they could be read", c.Lost)
	}
	_, err = fmt.Fprintln(t.out, text)
	return status, err
}
