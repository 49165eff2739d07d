package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// watchInterval is how often watch asks run, reads the counters of interfaces, and
	// prints.
	watchInterval = time.Second
	// lookInterval is how often watch compares the uplinks with the kernel.
	lookInterval = 5 * time.Second
	// lookShare is how many times longer than it takes the next look waits at least.
	lookShare = 20
)

// A watcher is one run of the command watch.
type watcher struct {
	o    options
	out  io.Writer
	file *config
	// fault is the fault of the file, which was good before.
	fault error

	report   *report   // of the last look
	sampled  sample    // the last counters
	nextLook time.Time // not before
	// seen is the last event of the process pid that was printed.
	pid  int
	seen uint64
	// printed has the last text about each uplink, and about the process.
	printed map[string]string
}

// watch shows the status until ctx ends.
func watch(ctx context.Context, o options, file *config, stdout, stderr io.Writer) int {
	w := &watcher{o: o, out: stdout, file: file, printed: make(map[string]string)}
	show := w.printEvents
	switch {
	case o.json:
		show = w.printJSON
	case terminalOf(stdout, os.Getenv).is():
		show = w.draw
		if err := w.put(enterScreen); err != nil {
			return exitFailure
		}
		defer func() { _ = w.put(leaveScreen) }()
	}
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		err := w.refresh(ctx)
		if ctx.Err() != nil {
			return exitOK
		}
		if err == nil {
			err = show()
		}
		if err != nil {
			if !o.json && terminalOf(stdout, os.Getenv).is() {
				_ = w.put(leaveScreen)
			}
			fmt.Fprintln(stderr, "uplinks:", errorText(err))
			return exitFailure
		}
		select {
		case <-ctx.Done():
			return exitOK
		case <-tick.C:
		}
	}
}

// refresh asks run, reads the counters, and looks at the kernel if it is time to.
func (w *watcher) refresh(ctx context.Context) error {
	m, err := askMaintainer(w.o.controlPlace())
	hasNews := m != nil && w.report != nil && (w.report.Maintainer == nil || lastNumber(m) != lastNumber(w.report.Maintainer))
	now := time.Now()
	if w.report == nil || now.After(w.nextLook) || hasNews && now.After(w.nextLook.Add(watchInterval-lookInterval)) {
		return w.look(ctx)
	}
	w.report.setMaintainer(m, err)
	conn, err := dial(w.o.netns)
	if err != nil {
		return err
	}
	defer conn.Close()
	if s, err := readTraffic(ctx, conn, interfacesOf(w.report.Uplinks)); err == nil {
		s.since(w.sampled).setTraffic(w.report.Uplinks)
		w.sampled = s
	}
	return nil
}

// lastNumber returns the number of the last event.
func lastNumber(m *maintainer) uint64 {
	if n := len(m.Events); n > 0 {
		return m.Events[n-1].Number
	}
	return 0
}

// look makes a report as status does. The file may have changed.
func (w *watcher) look(ctx context.Context) error {
	start := time.Now()
	file, err := w.o.loadAgain(ctx)
	if w.fault = err; err == nil {
		w.file = file
	}
	uplinks := make([]uplink, len(w.file.uplinks)) // a look fills in what it learns
	copy(uplinks, w.file.uplinks)
	s := &session{
		ctx: ctx, netns: netnsPath(w.o.netns), givenNetNS: w.o.netns, etc: w.o.etc, control: w.o.controlPlace(),
		uplinks: uplinks, shared: w.file.shared, earlier: &w.sampled,
	}
	if _, err := s.do(w.o); err != nil {
		return err
	}
	s.report.Command = w.o.command
	w.report, w.sampled = &s.report, s.sampled
	took := time.Since(start)
	w.nextLook = start.Add(max(lookInterval, lookShare*took))
	return nil
}

// setMaintainer sets the process that maintains the uplinks, or why it is not known.
func (r *report) setMaintainer(m *maintainer, err error) {
	r.Maintainer, r.Unknown = m, ""
	if err != nil {
		r.Unknown = err.Error()
	}
}

// printJSON prints the report as one line.
func (w *watcher) printJSON() error {
	r := *w.report
	r.Time = time.Now()
	if w.fault != nil {
		r.Error = w.fault.Error()
	}
	if r.Uplinks == nil {
		r.Uplinks = []*entry{}
	}
	b, err := json.Marshal(&r)
	if err != nil {
		return err
	}
	_, err = w.out.Write(append(b, '\n'))
	return err
}

// printEvents prints the events since the last call, and the uplinks whose state is another
// one.
func (w *watcher) printEvents() error {
	var lines []string
	add := func(at time.Time, text string) {
		lines = append(lines, at.Format(time.RFC3339)+" "+oneLine(text))
	}
	now := time.Now()
	isFirst := len(w.printed) == 0
	changed := func(key, text string) {
		if w.printed[key] != text {
			w.printed[key] = text
			add(now, text)
		}
	}
	m := w.report.Maintainer
	process := notMaintained
	switch {
	case m != nil:
		process = fmt.Sprintf("monitored by process %d since %s", m.PID, m.Since.Format(time.DateTime))
	case w.report.Unknown != "":
		process = whoIsUnknown + w.report.Unknown
	}
	changed("", process)
	if w.fault != nil {
		changed("fault", w.fault.Error())
	} else {
		delete(w.printed, "fault")
	}
	if m != nil {
		for _, e := range w.newEvents(m, isFirst) {
			text := e.Text
			if e.Level != "info" {
				text = e.Level + ": " + text
			}
			add(e.Time, text)
		}
	}
	for _, e := range w.report.Uplinks {
		text := e.Name + " " + e.Family + ": " + e.State
		for _, d := range e.details(nil, now) {
			text += "; " + d.text
		}
		changed(e.Name+" "+e.Family, text)
	}
	if len(lines) == 0 {
		return nil
	}
	_, err := io.WriteString(w.out, strings.Join(lines, "\n")+"\n")
	return err
}

// newEvents returns the events of run that were not printed. At first, none is.
func (w *watcher) newEvents(m *maintainer, isFirst bool) []loggedEvent {
	if m.PID != w.pid {
		w.pid, w.seen = m.PID, 0
		if isFirst {
			w.seen = lastNumber(m)
		}
	}
	var all []loggedEvent
	for _, e := range m.Events {
		if e.Number <= w.seen {
			continue
		}
		if missing := e.Number - w.seen - 1; missing > 0 && len(all) == 0 {
			all = append(all, loggedEvent{Time: e.Time, Level: "warning", Text: plural(int(missing), "event") +
				" came too fast to be shown here: see the log of \"uplinks run\""})
		}
		all = append(all, e)
		w.seen = e.Number
	}
	return all
}

// Control sequences. The alternate screen leaves what was on the terminal before alone.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[2J"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// put writes a control sequence past the filter of the printer.
func (w *watcher) put(sequence string) error {
	out := w.out
	if p, ok := out.(*printer); ok {
		out = p.w
	}
	_, err := io.WriteString(out, sequence)
	return err
}

// draw draws the status on the terminal, whose size may have changed.
func (w *watcher) draw() error {
	t := terminalOf(w.out, os.Getenv)
	if !t.is() {
		return errors.New("the terminal is gone")
	}
	return w.put(w.frame(t, time.Now()))
}

// frame returns what is written to draw the status. It fits on the terminal.
func (w *watcher) frame(t terminal, now time.Time) string {
	const margin = 2 // the first line, and the last row, in which a line break would scroll
	lines := []line{textLine(dim, shorten("uplinks watch  "+now.Format(time.DateTime)+"  Ctrl-C ends it", t.columns))}
	if w.fault != nil {
		lines = append(lines, wrapped(red, "the file has a fault, and the old lines are shown: "+oneLine(w.fault.Error()), t)...)
	}
	above := len(w.report.statusLines(t, now, 0)) + len(lines)
	lines = append(lines, w.report.statusLines(t, now, max(shownEvents, t.rows-margin-above))...)
	if room := max(1, t.rows-1); len(lines) > room {
		more := fmt.Sprintf("… %d more lines do not fit", len(lines)-room+1)
		lines = append(lines[:room-1], textLine(dim, shorten(more, t.columns)))
	}
	var b strings.Builder
	b.WriteString(screenHome)
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l.render(t.color), " ") + clearLine + "\n")
	}
	b.WriteString(clearBelow)
	return b.String()
}
