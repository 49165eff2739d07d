package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/policyroute/policyroute/internal/fibtrace"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
)

// tracePoll is how often trace reads the events of the kernel.
const tracePoll = 20 * time.Millisecond

// A tracing is one run of the command trace.
type tracing struct {
	json   bool
	tracer *fibtrace.Tracer
	host   atomic.Pointer[traceHost]
	out    io.Writer
	group  grouper
	// programs are those of the threads whose lookups are printed now.
	programs map[int]traceProgram
	counts   traceCounts
}

// traceCounts are the last line of trace.
type traceCounts struct {
	Lookups     uint64 `json:"lookups"`
	Explained   uint64 `json:"explained"`
	Unexplained uint64 `json:"unexplained"`
	Addresses   uint64 `json:"addresses"`
	Lost        uint64 `json:"lost"`
}

// traceLookups is the command trace. It prints the lookups of the kernel until ctx or the time
// ends.
func traceLookups(ctx context.Context, o options, stdout, stderr io.Writer) int {
	config, err := parseTrace(o.names)
	if err != nil {
		fmt.Fprintln(stderr, usageError(o.command, err))
		return exitUsage
	}
	if o.watchFor > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, o.watchFor)
		defer stop()
	}
	t := &tracing{json: o.json, out: stdout, programs: make(map[int]traceProgram)}
	if err := t.run(ctx, o, config); err != nil {
		fmt.Fprintln(stderr, "uplinks:", traceError(err))
		return exitFailure
	}
	return exitOK
}

// traceError returns the text of an error.
func traceError(err error) string {
	if errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, context.Canceled) {
		return "trace works on Linux only"
	}
	return strings.TrimPrefix(errorText(err), "fibtrace: ")
}

// parseTrace reads the words that select lookups.
func parseTrace(words []string) (*fibtrace.Config, error) {
	c := &fibtrace.Config{}
	w := iptext.WordsOf("trace", words)
	for w.More() {
		place := &c.Dst
		switch w.Take() {
		case "to":
		case "from":
			place = &c.Src
		default:
			return nil, w.Errorf("not to or from")
		}
		if place.IsValid() {
			return nil, w.Errorf("given twice")
		}
		var p netip.Prefix
		if err := iptext.ArgPrefix(w, &p); err != nil {
			return nil, err
		}
		if !p.IsValid() {
			continue // default, all and any select all lookups
		}
		*place = p.Masked()
		family := 6
		if p.Addr().Is4() {
			family = 4
		}
		if c.Family != 0 && c.Family != family {
			return nil, w.Errorf("the prefixes of to and from have different families")
		}
		c.Family = family
	}
	return c, nil
}

// run opens the tracepoints, prints the lookups, and then the counts.
func (t *tracing) run(ctx context.Context, o options, config *fibtrace.Config) (err error) {
	w, conn, err := takeWorld(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	t.host.Store(newTraceHost(w))
	if t.tracer, err = fibtrace.Open(config); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.tracer.Close()) }()
	following, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		followWorld(following, conn, func(w explain.World) { t.host.Store(newTraceHost(w)) })
	}()
	defer func() { stop(); <-followed }()
	if !t.json {
		if _, err := fmt.Fprintf(t.out, "%-15s  %-20s  %s\n", "TIME", "PROGRAM", "LOOKUP"); err != nil {
			return err
		}
	}
	return t.watch(ctx)
}

// watch prints lookups until ctx ends.
func (t *tracing) watch(ctx context.Context) error {
	tick := time.NewTicker(tracePoll)
	defer tick.Stop()
	var events []fibtrace.Event
	for {
		ended := ctx.Err() != nil
		var err error
		if events, err = t.tracer.Read(events[:0]); err != nil {
			return err
		}
		now, err := t.tracer.Now()
		if err != nil {
			return err
		}
		for i := range events {
			t.group.add(&events[i])
		}
		last := now
		if !ended {
			last -= quiet
		}
		t.group.end(last)
		if err := t.flush(time.Now().Add(-now)); err != nil {
			return err
		}
		if ended {
			return t.end()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// flush prints the lookups that have ended. Boot is the time at which the clock of the events
// was zero.
func (t *tracing) flush(boot time.Time) error {
	for _, l := range t.group.done {
		if err := t.print(l, boot.Add(l.packet().Time)); err != nil {
			return err
		}
	}
	clear(t.group.done) // for the garbage collector
	t.group.done = t.group.done[:0]
	clear(t.programs)
	return nil
}

// A traceProgram is the name and the effective user of a thread.
type traceProgram struct {
	comm string
	uid  uint32
}

// program returns the program of a thread. It is zero for a thread that has ended.
func (t *tracing) program(pid int) traceProgram {
	p, ok := t.programs[pid]
	if !ok {
		p = traceProgram{t.tracer.Comm(pid), userOf(pid)}
		t.programs[pid] = p
	}
	return p
}

// A traceLine is a lookup in JSON.
type traceLine struct {
	Time      time.Time    `json:"time"`
	Comm      string       `json:"comm,omitempty"`
	PID       int          `json:"pid,omitempty"`
	Reverse   bool         `json:"reverse,omitempty"`
	From      netip.Addr   `json:"from,omitzero"`
	To        netip.Addr   `json:"to"`
	IIF       string       `json:"iif,omitempty"`
	OIF       string       `json:"oif,omitempty"`
	IPProto   string       `json:"ipproto,omitempty"`
	SPort     uint16       `json:"sport,omitempty"`
	DPort     uint16       `json:"dport,omitempty"`
	TOS       uint8        `json:"tos,omitempty"`
	FlowLabel uint32       `json:"flowlabel,omitempty"`
	Tables    []traceTable `json:"tables"`
	traceReason
}

// A traceTable is a table that was asked, and what it said.
type traceTable struct {
	Table string `json:"table"`
	Says  string `json:"says"`
}

// print counts a lookup and prints its line.
func (t *tracing) print(l *lookup, at time.Time) error {
	h, e := t.host.Load(), l.packet()
	x := traceLine{
		Time: at, Reverse: l.forward != nil, To: e.Dst, IIF: h.interfaceName(e.IIF), OIF: h.interfaceName(e.OIF),
		SPort: e.SPort, DPort: e.DPort, TOS: e.TOS, FlowLabel: e.FlowLabel,
	}
	if e.IIF == loopback {
		x.IIF = ""
	}
	if !e.Src.IsUnspecified() {
		x.From = e.Src
	}
	if e.Proto != 0 {
		x.IPProto = route.IPProto(e.Proto).String()
	}
	var uid uint32
	if !e.Interrupt && e.PID != 0 {
		p := t.program(e.PID)
		x.PID, x.Comm, uid = e.PID, p.comm, p.uid
	}
	for i := range l.asked {
		a := &l.asked[i]
		x.Tables = append(x.Tables, traceTable{rttables.ID(a.Table).String(), saysText(a, i+1 == len(l.asked) && l.more == 0)})
	}
	x.traceReason = h.explain(l, uid)
	t.counts.Lookups++
	if x.Unknown == "" {
		t.counts.Explained++
	} else {
		t.counts.Unexplained++
	}
	if t.json {
		return json.NewEncoder(t.out).Encode(x)
	}
	resultStyle := green
	if x.Unknown != "" || x.Refusal != "" || e.Err != 0 && x.Rule == nil {
		resultStyle = yellow
	}
	return writeLines(t.out, terminalOf(t.out, os.Getenv), []line{{
		{fmt.Sprintf("%-15s  %-20s  ", at.Format("15:04:05.000000"), x.program()), plain},
		{iptext.Printable(x.text()) + "  ", plain},
		{iptext.Printable(x.traceReason.text()), resultStyle},
	}})
}

// interfaceName returns the name of an interface, or its index if this namespace does not have
// it. Zero has no name.
func (h *traceHost) interfaceName(index int32) string {
	if index == 0 {
		return ""
	}
	if name, ok := h.names[index]; ok {
		return name
	}
	return "if" + strconv.Itoa(int(index))
}

// userOf returns the effective user of a thread, or 0 if it has ended.
func userOf(pid int) uint32 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(b)) {
		if f := strings.Fields(l); len(f) > 2 && f[0] == "Uid:" {
			uid, _ := strconv.ParseUint(f[2], 10, 32)
			return uint32(uid)
		}
	}
	return 0
}

// program returns the program as comm[pid].
func (x *traceLine) program() string {
	if x.PID == 0 {
		return "-"
	}
	return iptext.Printable(fmt.Sprintf("%s[%d]", x.Comm, x.PID))
}

// text returns the packet, and the tables that were asked about it.
func (x *traceLine) text() string {
	var b strings.Builder
	from := "any"
	if x.From.IsValid() {
		from = endText(netip.AddrPortFrom(x.From, x.SPort))
	}
	fmt.Fprintf(&b, "%s → %s", from, endText(netip.AddrPortFrom(x.To, x.DPort)))
	for _, w := range [][2]string{{" iif ", x.IIF}, {" oif ", x.OIF}, {" ", x.IPProto}} {
		if w[1] != "" {
			b.WriteString(w[0] + w[1])
		}
	}
	if x.TOS != 0 {
		fmt.Fprintf(&b, " tos %#x", x.TOS)
	}
	if x.Reverse {
		b.WriteString(" (reverse path)")
	}
	for i, a := range x.Tables {
		b.WriteString(map[bool]string{true: "  ", false: ", "}[i == 0])
		b.WriteString(a.Table + ": " + a.Says)
	}
	return b.String()
}

// text returns the rule and the route, or why they are not known.
func (r *traceReason) text() string {
	if r.Unknown != "" {
		return "? " + r.Unknown
	}
	s := "no rule decides"
	switch {
	case r.Rule != nil:
		s = r.Rule.Text
	case r.Route != "":
		s = "no rule was asked"
	}
	if r.Route != "" {
		s += "; " + r.Route
	}
	if r.Mark != 0 {
		s += fmt.Sprintf("; if the mark is %#x", r.Mark)
	}
	if r.Refusal != "" {
		s += "; refused: " + r.Refusal
	}
	return s
}

// end prints the counts.
func (t *tracing) end() error {
	lost, err := t.tracer.Lost()
	if err != nil {
		return err
	}
	c := &t.counts
	c.Addresses, c.Lost = t.group.addresses, lost
	if t.json {
		return json.NewEncoder(t.out).Encode(c)
	}
	text := fmt.Sprintf("%s: %d explained, %d not; %s of single addresses", plural(int(c.Lookups), "lookup"), c.Explained, c.Unexplained,
		plural(int(c.Addresses), "check"))
	if c.Lost > 0 {
		text += fmt.Sprintf("; %s lost: select fewer lookups with to or from", plural(int(c.Lost), "event"))
	}
	_, err = fmt.Fprintln(t.out, text)
	return err
}
