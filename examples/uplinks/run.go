package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
)

// A service is the command run at work.
type service struct {
	o        options
	log      *logger
	manager  manager // systemd, if it asks to be told
	counters table.Counters
	record   record
	update   chan table.MaintainUpdate
	hup      chan os.Signal
	// looked is closed when all uplinks have been looked at once.
	looked chan struct{}

	mu  sync.Mutex
	was *config // before file, if that may still be refused
	// file is what is kept, or about to be.
	file *config
	// hopeless is why it ends by itself.
	hopeless error
	stop     context.CancelFunc
}

// maintain keeps uplinks until ctx ends.
func maintain(ctx context.Context, o options, file *config, stdout, stderr io.Writer) int {
	s := &service{
		o: o, manager: newManager(os.Getenv), file: file, update: make(chan table.MaintainUpdate),
		hup: make(chan os.Signal, 1), looked: make(chan struct{}),
	}
	// Before anyone can know of the process: an early SIGHUP would end it. And so
	// would a log that nobody reads any more.
	signal.Notify(s.hup, syscall.SIGHUP)
	defer signal.Stop(s.hup)
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	s.log = newLogger(o, s.manager.journal, stdout, stderr)
	defer s.log.close()
	s.record.begin(o.file, file.uplinks)
	if !o.once {
		control, err := s.listen()
		if err != nil {
			fmt.Fprintln(stderr, "uplinks:", explain(err))
			return exitFailure
		}
		if control != nil {
			defer control.close()
		}
	}
	err := s.keep(ctx)
	if s.hopeless != nil {
		err = s.hopeless
	}
	var field *table.FieldError
	switch {
	case errors.As(err, &field):
		fmt.Fprintln(stderr, file.place(err))
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, "uplinks:", explain(err))
		return exitFailure
	case o.once:
		return s.result()
	}
	s.log.say(slog.LevelInfo, "the end: "+map[bool]string{
		true: "the uplinks were removed", false: "the uplinks stay, and nobody repairs them",
	}[o.remove])
	return exitOK
}

// keep is Maintain, with what goes on beside it.
func (s *service) keep(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	s.stop = cancel
	uplinks := values(s.file.uplinks)
	if s.o.once { // nobody stays to give back what a probe has taken
		for i := range uplinks {
			uplinks[i].Health = nil
		}
	}
	config := table.MaintainConfig{
		Event: s.event, Logger: s.log.json, Counters: &s.counters, Remove: s.o.remove, Update: s.update,
		FullLook: s.manager.lookEvery(), Default: s.file.shared,
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	begin := func(do func(context.Context)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			do(ctx)
		}()
	}
	begin(s.reload)
	begin(func(ctx context.Context) { s.manager.watchdog(ctx, &s.counters.Looks) })
	begin(func(ctx context.Context) {
		<-ctx.Done()
		s.manager.tell("STOPPING=1")
	})
	if s.o.once {
		begin(func(ctx context.Context) {
			s.await(ctx)
			cancel()
		})
	}
	dial := func() (route.Conn, error) { return dial(s.o.netns) }
	return table.Maintain(ctx, dial, &config, uplinks...)
}

// listen lets status ask. One process maintains a network namespace, and not two: each
// would take the other for someone who undoes its work.
func (s *service) listen() (*control, error) {
	path := netnsPath(s.o.netns)
	for range attempts {
		c, err := listen(path, func() keeper { return s.record.now(&s.counters) })
		switch {
		case err == nil:
			return c, nil
		case errors.Is(err, syscall.EADDRINUSE):
			k, err := ask(path)
			var stranger *strangerError
			switch {
			case errors.As(err, &stranger):
				s.log.say(slog.LevelWarn, err.Error()+": status cannot ask this process")
				return nil, nil
			case err != nil:
				return nil, err
			case k != nil:
				return nil, fmt.Errorf("process %d maintains the uplinks of this network namespace already", k.PID)
			}
			continue // it has just gone
		case errors.As(err, new(*enterError)), errors.As(err, new(*os.PathError)):
			return nil, err
		}
		s.log.say(slog.LevelWarn, "status cannot ask this process: "+err.Error())
		return nil, nil
	}
	return nil, fmt.Errorf("the socket %s comes and goes", controlName)
}

// values are the uplinks as package table maintains them.
func values(uplinks []uplink) []table.MaintainedUplink {
	var all []table.MaintainedUplink
	for _, u := range uplinks {
		all = append(all, u.MaintainedUplink)
	}
	return all
}

// await waits until all uplinks are complete, or for the time that it may take.
func (s *service) await(ctx context.Context) {
	end := time.After(s.o.wait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	looked := s.looked
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-looked: // from now on the states say something
			looked = nil
		case <-tick.C:
		}
		if looked == nil && len(s.record.missing()) == 0 {
			return
		}
	}
}

// result is the exit status of run -once.
func (s *service) result() int {
	missing := s.record.missing()
	for _, text := range missing {
		s.log.say(slog.LevelWarn, "not complete: "+text)
	}
	if len(missing) > 0 {
		return exitPending
	}
	return exitOK
}

// reload reads the file again at each SIGHUP. With a fault in it, what was read last
// stays.
func (s *service) reload(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hup:
		}
		s.manager.reloading()
		file, err := s.o.load()
		if err != nil {
			s.refuse(err)
			continue
		}
		s.log.say(slog.LevelInfo, s.o.file+" was read again: "+plural(len(file.uplinks), "uplink"))
		s.mu.Lock()
		s.was, s.file = s.file, file
		s.mu.Unlock()
		s.record.declare(file.uplinks)
		select {
		case s.update <- table.MaintainUpdate{Uplinks: values(file.uplinks), Default: file.shared}:
		case <-ctx.Done():
		}
	}
}

// refuse reports that the file as it is now is not taken over.
func (s *service) refuse(err error) {
	for line := range strings.Lines(err.Error()) {
		s.log.say(slog.LevelError, strings.TrimSpace(line))
	}
	s.log.say(slog.LevelError, "the file was not taken over: the uplinks stay as they were")
	s.manager.tell("READY=1")
}

// event reports what Maintain says.
func (s *service) event(e table.Event) {
	var field *table.FieldError
	switch {
	case e.Kind != table.EventFailed:
	case e.Uplink == "" && errors.As(e.Err, &field): // an update is not taken
		s.goBack(e.Err)
		return
	case s.counters.Repairs.Load() == 0 && forbidden(e.Err):
		s.hopeless = e.Err
		s.stop()
		return
	}
	s.record.note(e)
	text := describe(e, s.o.verbose)
	if s.log.json == nil {
		s.log.say(e.Kind.Level(), text)
	}
	if e.Kind == table.EventReady {
		if !s.ready() {
			close(s.looked)
		}
		s.manager.tell("READY=1")
	}
	complete, all := s.record.count()
	s.manager.tell(fmt.Sprintf("STATUS=%d of %s complete, %s. Last: %s", complete, plural(all, "uplink"),
		plural(int(s.counters.Repairs.Load()), "repair"), text))
}

// goBack takes the file before for that which is kept.
func (s *service) goBack(err error) {
	s.record.refused()
	s.mu.Lock()
	file := s.file
	if s.was != nil {
		s.file, s.was = s.was, nil
	}
	s.mu.Unlock()
	s.refuse(file.place(err))
}

// ready reports whether all uplinks have been looked at once.
func (s *service) ready() bool {
	select {
	case <-s.looked:
		return true
	default:
		return false
	}
}

// forbidden reports whether an error says that this process may not change anything, and
// so never will.
func forbidden(err error) bool {
	var name *table.NameError
	var probe *health.Error
	return errors.Is(err, fs.ErrPermission) && !errors.As(err, &name) && !errors.As(err, &probe)
}

// describe is an event for an administrator, in a line.
func describe(e table.Event, verbose bool) string {
	if e.Err != nil {
		e.Err = errors.New(explain(e.Err))
	}
	if e.Kind == table.EventInstalled && e.Reason == "" && !verbose {
		e.Reason, e.Steps = summary(e.Steps), nil
	}
	return oneLine(e.String())
}
