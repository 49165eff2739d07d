package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A reloadStatus says how often the file was read again.
type reloadStatus struct {
	Begun uint64 `json:"begun"`
	Done  uint64 `json:"done"`
	// Error has the faults that the file had at the last time, one a line. It is empty if
	// the file had none.
	Error string `json:"error,omitempty"`
}

// reloadPoll is how often reload asks whether the process is done.
const reloadPoll = 20 * time.Millisecond

// reload makes the process that maintains the uplinks read its file again. It returns when
// that process has looked at all uplinks of the new file, or has refused the file.
func reload(ctx context.Context, o options, stdout, stderr io.Writer) int {
	r := report{Uplinks: []*entry{}}
	status := exitOK
	m, err := requestReload(ctx, o.controlPlace())
	switch {
	case err != nil:
		status, r.Error = exitFailure, errorText(err)
		fmt.Fprintln(stderr, "uplinks:", r.Error)
	case m.Reload.Error != "":
		status, r.Error = exitUsage, m.Reload.Error
		fmt.Fprintf(stderr, "%s\nuplinks: process %d still uses the old lines\n", r.Error, m.PID)
	}
	r.Maintainer = m
	if err := r.write(stdout, o); err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return status
}

// requestReload sends SIGHUP to the process that maintains the uplinks, and returns its
// state after the reload.
func requestReload(ctx context.Context, p controlPlace) (*maintainer, error) {
	before, err := askMaintainer(p)
	switch {
	case err != nil:
		return nil, err
	case before == nil:
		return nil, errors.New("\"uplinks run\" is not active in this network namespace")
	case before.Reload == nil:
		return nil, fmt.Errorf("process %d is an older version of this program that does not report when a reload is done: restart it", before.PID)
	}
	if err := hangUpProcess(before.PID); err != nil {
		return nil, err
	}
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("process %d has not finished the reload: %w", before.PID, ctx.Err())
		case <-tick.C:
		}
		m, err := askMaintainer(p)
		switch {
		case err != nil:
			return nil, err
		case m == nil || m.PID != before.PID || m.Reload == nil:
			return nil, fmt.Errorf("process %d ended during the reload", before.PID)
		case m.Reload.Done > before.Reload.Begun:
			return m, nil
		}
	}
}

// hangUpProcess sends SIGHUP to a process.
func hangUpProcess(pid int) error {
	if pid <= 0 {
		return errors.New("the process that maintains the uplinks is not in this PID namespace: send it SIGHUP there")
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(syscall.SIGHUP)
	}
	if err != nil {
		return fmt.Errorf("send SIGHUP to process %d: %v", pid, err)
	}
	return nil
}

// writeReload prints the result of a reload.
func (m *maintainer) writeReload(w io.Writer) {
	complete := 0
	for _, line := range m.Uplinks {
		if line.State == lineInstalled {
			complete++
		}
	}
	fmt.Fprintf(w, "process %d has read %s again: %d of %s complete\n", m.PID, m.File, complete, plural(len(m.Uplinks), "uplink"))
	lines := m.Uplinks
	if m.Reply != nil {
		lines = append(slices.Clone(lines), m.Reply)
	}
	for _, line := range lines {
		if line.State != lineInstalled {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

// parseOnly prints the lines of a file in their normal form.
func parseOnly(o options, file *config, stdout, stderr io.Writer) int {
	var r report
	if file.isEmpty() {
		r.Warnings = append(r.Warnings, o.file+noUplinks)
		fmt.Fprintln(stderr, "uplinks: warning:", r.Warnings[0])
	}
	for _, u := range file.uplinks {
		r.Uplinks = append(r.Uplinks, newEntry(u))
	}
	r.ReplyLines = file.reply.lines()
	if err := r.write(stdout, o); err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return exitOK
}

// statusOfRunning prints the status of the lines that the maintaining process has read,
// because the file has a fault. If there is no such process it prints only the fault.
func statusOfRunning(ctx context.Context, o options, fault error, stdout, stderr io.Writer) int {
	fmt.Fprintln(stderr, fault)
	m, err := askMaintainer(o.controlPlace())
	if err != nil || m == nil {
		return exitUsage
	}
	var text strings.Builder
	for _, line := range m.Uplinks {
		fmt.Fprintln(&text, line.Config)
	}
	if m.Reply != nil {
		fmt.Fprintln(&text, m.Reply.Config)
	}
	file, err := o.parse(m.File, text.String())
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "uplinks: %s has a fault; the status below is of the lines that process %d has read\n", o.file, m.PID)
	s := &session{ctx: ctx, netns: netnsPath(o.netns), control: o.controlPlace(), uplinks: file.uplinks, reply: file.reply}
	if status := s.finish(o, stdout, stderr, fault); status == exitFailure {
		return exitFailure
	}
	return exitUsage
}
