package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
)

// A service is the command run.
type service struct {
	o        options
	manager  manager // systemd, if it asks to be told
	counters table.Counters
	update   chan []table.MaintainedUplink
	// stop ends it.
	stop context.CancelFunc

	mu     sync.Mutex
	stderr io.Writer
}

// maintain keeps uplinks until ctx ends.
func maintain(ctx context.Context, o options, uplinks []uplink, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &service{
		o: o, manager: newManager(os.Getenv), stderr: stderr, stop: cancel,
		update: make(chan []table.MaintainedUplink),
	}
	config := table.MaintainConfig{
		Event: s.event, Counters: &s.counters, Remove: o.remove, Update: s.update,
		FullLook: s.manager.lookEvery(),
	}
	if o.json {
		config.Logger = slog.New(slog.NewJSONHandler(stdout, nil))
	}
	var wg sync.WaitGroup
	begin := func(do func(context.Context)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			do(ctx)
		}()
	}
	begin(s.reload)
	begin(func(ctx context.Context) { s.manager.watchdog(ctx, &s.counters.Looks) })
	if o.once {
		begin(s.once)
	}
	err := table.Maintain(ctx, func() (route.Conn, error) { return dial(o.netns) }, &config, values(uplinks)...)
	cancel()
	wg.Wait()
	s.manager.tell("STOPPING=1")
	var field *table.FieldError
	switch {
	case errors.As(err, &field):
		fmt.Fprintln(stderr, "uplinks:", explain(err))
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, "uplinks:", explain(err))
		return exitFailure
	case o.once && s.counters.Complete.Load() != s.counters.Uplinks.Load():
		return exitPending
	}
	return exitOK
}

// values are the uplinks as package table maintains them.
func values(uplinks []uplink) []table.MaintainedUplink {
	var all []table.MaintainedUplink
	for _, u := range uplinks {
		all = append(all, u.MaintainedUplink)
	}
	return all
}

// once ends the service when all uplinks are complete, or after a time.
func (s *service) once(ctx context.Context) {
	defer s.stop()
	end := time.After(s.o.wait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if n := s.counters.Uplinks.Load(); n > 0 && n == s.counters.Complete.Load() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-end:
			s.say(slog.LevelWarn, fmt.Sprintf("not all uplinks are complete after %v", s.o.wait))
			return
		case <-tick.C:
		}
	}
}

// reload reads the file again at each SIGHUP. With a fault in it, what was read
// last stays.
func (s *service) reload(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		s.manager.tell("RELOADING=1") // READY=1 ends it
		uplinks, err := s.o.load()
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				s.say(slog.LevelError, strings.TrimSuffix(line, "\n"))
			}
			s.say(slog.LevelError, "the file was not taken over: the uplinks stay as they were")
			s.manager.tell("READY=1")
			continue
		}
		s.say(slog.LevelInfo, s.o.file+" was read again")
		select {
		case s.update <- values(uplinks):
		case <-ctx.Done():
		}
	}
}

// event reports what Maintain says.
func (s *service) event(e table.Event) {
	text := describe(e)
	if !s.o.json {
		s.say(e.Kind.Level(), text)
	}
	// A file that is refused is a reload that has ended.
	if e.Kind == table.EventReady || e.Kind == table.EventFailed && e.Uplink == "" {
		s.manager.tell("READY=1")
	}
	complete, all := s.counters.Complete.Load(), s.counters.Uplinks.Load()
	s.manager.tell(fmt.Sprintf("STATUS=%d of %d uplinks complete, %d repairs. Last: %s", complete, all,
		s.counters.Repairs.Load(), text))
}

// describe is an event for an administrator, in a line.
func describe(e table.Event) string {
	if e.Err != nil {
		e.Err = errors.New(explain(e.Err))
	}
	if e.Kind == table.EventInstalled && e.Reason == "" {
		e.Reason, e.Steps = summary(e.Steps), nil
	}
	return strings.ReplaceAll(e.String(), "\n", " ")
}

// say writes a line of the log. The journal has the time, and wants the level in
// front.
func (s *service) say(level slog.Level, text string) {
	prefix := time.Now().Format(time.RFC3339) + " "
	if s.manager.journal {
		prefix = map[slog.Level]string{slog.LevelWarn: "<4>", slog.LevelError: "<3>"}[level]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.stderr, prefix+text)
}
