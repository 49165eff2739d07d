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
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// A service is one run of the command run.
type service struct {
	o        options
	log      *logger
	manager  *manager // systemd, if it started this process
	counters maintain.Counters
	tracker  tracker
	control  *controlServer // nil: there is none
	update   chan maintain.Update
	hup      chan os.Signal
	// allLooked is closed when all uplinks have been checked once.
	allLooked chan struct{}
	// reloaded receives a value when the update of a reload was taken over or refused.
	reloaded chan struct{}

	mu           sync.Mutex
	reloading    bool    // an update was sent, and its result is not known
	previousFile *config // the file before an update that may still be refused
	lastEvent    string  // in the words of the log
	// file is the file that is maintained, or was sent as an update.
	file *config
	// fatalErr is the error that ends the service.
	fatalErr error
	stop     context.CancelFunc
}

// serve maintains uplinks until ctx ends, and returns the exit status.
func serve(ctx context.Context, o options, file *config, stdout, stderr io.Writer) int {
	s := &service{
		o: o, manager: newManager(os.Getenv), file: file, update: make(chan maintain.Update),
		hup: make(chan os.Signal, 1), allLooked: make(chan struct{}), reloaded: make(chan struct{}, 1),
	}
	// Signals are caught before anything else. An early SIGHUP would end the process, and so
	// would SIGPIPE when the log has no reader any more.
	signal.Notify(s.hup, syscall.SIGHUP)
	defer signal.Stop(s.hup)
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	s.log = newLogger(o, s.manager.journal, stdout, stderr)
	defer s.log.close()
	defer s.manager.start()()
	if file.isEmpty() {
		s.log.write(slog.LevelWarn, o.file+noUplinks)
	}
	s.tracker.start(o.file, file)
	if !o.once {
		if err := s.listen(); err != nil {
			writeSoon(stderr, "uplinks: "+errorText(err)+"\n")
			return exitFailure
		}
		defer s.closeControl()
	}
	err := s.maintain(ctx)
	if s.fatalErr != nil {
		err = s.fatalErr
	}
	var field *plan.FieldError
	switch {
	case errors.As(err, &field):
		writeSoon(stderr, file.locateError(err).Error()+"\n")
		return exitConfig
	case err != nil:
		writeSoon(stderr, "uplinks: "+errorText(err)+"\n")
		return exitFailure
	case o.once:
		return s.onceStatus()
	}
	s.log.write(slog.LevelInfo, "stopped: "+map[bool]string{
		true: "the uplinks were removed", false: "the uplinks stay installed, and are no longer repaired",
	}[o.remove])
	return exitOK
}

// maintain calls maintain.Run, and runs the reload, the watchdog and -once next to it.
func (s *service) maintain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	s.stop = cancel
	uplinks := maintainUplinks(s.file.uplinks)
	if s.o.once { // after the end no process would restore a share that a probe took away
		for i := range uplinks {
			uplinks[i].Health = nil
		}
	}
	config := maintain.Config{
		Event: s.handleEvent, Probed: s.tracker.handleProbe, Counters: &s.counters, Remove: s.o.remove, Update: s.update,
		FullLook: s.manager.lookInterval(), Default: s.file.shared,
		Reply: s.file.reply.maintained(),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	start := func(do func(context.Context)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			do(ctx)
		}()
	}
	if path := netnsPath(s.o.netns); path != "" {
		key, err := netnsKey(path)
		if err != nil {
			return err
		}
		if isOfProcess(path) {
			start(func(ctx context.Context) { s.watchNamespace(ctx, path, key) })
		} else if config.NetNS = path; !s.o.once {
			start(func(ctx context.Context) { s.followNamespace(ctx, path, key) })
		}
	}
	start(s.reload)
	if s.o.metrics != "" {
		start(s.serveMetrics)
	}
	start(func(ctx context.Context) { s.manager.watchdog(ctx, &s.counters.Looks) })
	if s.o.once { // its end is not the end of a unit with RemainAfterExit
		start(func(ctx context.Context) {
			s.waitComplete(ctx)
			cancel()
		})
	} else {
		start(func(ctx context.Context) {
			<-ctx.Done()
			s.manager.notify("STOPPING=1")
		})
	}
	dial := func() (route.Conn, error) { return dial(s.o.netns) }
	return maintain.Run(ctx, dial, &config, uplinks...)
}

// listen starts the control server. It returns an error if another process maintains the
// uplinks of the network namespace, because two processes would undo each other's changes.
// If the server cannot be started for another reason, listen logs the reason and returns
// nil, because only status needs the server.
func (s *service) listen() error {
	c, err := listenControl(s.o.controlPlace(), newAnswers(
		func() maintainer { return s.tracker.snapshot(&s.counters) }, s.tracker.reloads))
	s.control = c
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*heldError)), errors.As(err, new(*enterError)):
		return err
	}
	text := "status cannot ask this process"
	if c == nil {
		text += ", and a second run would not be refused"
	}
	s.log.write(slog.LevelWarn, text+": "+err.Error())
	return nil
}

// closeControl stops the control server.
func (s *service) closeControl() {
	if s.control != nil {
		s.control.close()
		s.control = nil
	}
}

// maintainUplinks returns the uplinks in the type of package maintain.
func maintainUplinks(uplinks []uplink) []maintain.Uplink {
	var all []maintain.Uplink
	for _, u := range uplinks {
		all = append(all, u.Uplink)
	}
	return all
}

// waitComplete waits until all uplinks are complete, at most for the time of -wait.
func (s *service) waitComplete(ctx context.Context) {
	end := time.After(s.o.wait)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	looked := s.allLooked
	for {
		select {
		case <-ctx.Done():
			return
		case <-end:
			return
		case <-looked: // before that, the states are not known
			looked = nil
		case <-tick.C:
		}
		if looked == nil && len(s.tracker.incomplete()) == 0 {
			return
		}
	}
}

// onceStatus logs the lines that are not complete, and returns the exit status of run -once.
func (s *service) onceStatus() int {
	missing := s.tracker.incomplete()
	for _, text := range missing {
		s.log.write(slog.LevelWarn, "not complete: "+text)
	}
	if len(missing) > 0 {
		return exitPending
	}
	return exitOK
}

// reload reads the file again at each SIGHUP, one reload after the other. It waits for the
// first check of all uplinks, so that an EventReady belongs to one reload.
func (s *service) reload(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.hup:
		}
		select {
		case <-ctx.Done():
			return
		case <-s.allLooked:
		}
		s.tracker.beginReload()
		s.manager.notifyReloading()
		s.readAgain(ctx)
		if ctx.Err() != nil {
			return
		}
		// The manager is notified of the end before a process that asks for it.
		s.manager.notify("READY=1\n" + statusLine(s.statusText()))
		s.manager.flush()
		s.tracker.endReload()
	}
}

// readAgain reads the file, sends it as an update, and waits until all uplinks have been
// checked or the update was refused. If the file has a fault, nothing changes.
func (s *service) readAgain(ctx context.Context) {
	file, err := s.o.loadAgain(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.reportRefusal(err)
		return
	}
	s.log.write(slog.LevelInfo, s.o.file+" was read again: "+plural(len(file.uplinks), "uplink"))
	s.mu.Lock()
	s.previousFile, s.file, s.reloading = s.file, file, true
	s.mu.Unlock()
	s.tracker.declare(file)
	select {
	case s.update <- maintain.Update{Uplinks: maintainUplinks(file.uplinks), Default: file.shared, Reply: file.reply.maintained()}:
	case <-ctx.Done():
		return
	}
	select {
	case <-s.reloaded:
	case <-ctx.Done():
	}
}

// endUpdate tells readAgain that its update was taken over or refused, if it has sent one.
func (s *service) endUpdate() {
	s.mu.Lock()
	sent := s.reloading
	s.reloading = false
	s.mu.Unlock()
	if sent {
		s.reloaded <- struct{}{} // it has room for one
	}
}

// reportRefusal logs the faults of the new file.
func (s *service) reportRefusal(err error) {
	s.tracker.setReloadError(strings.TrimSpace(err.Error()))
	for line := range strings.Lines(err.Error()) {
		s.log.write(slog.LevelError, strings.TrimSpace(line))
	}
	s.log.write(slog.LevelError, "the file was not loaded: the uplinks stay as they were")
}

// handleEvent logs an event, and updates the state that status and systemd see.
func (s *service) handleEvent(e maintain.Event) {
	kind, shown := e.Kind, inWords(e)
	e.Kind = logKind(kind)
	if s.log.json != nil {
		shown.Kind = e.Kind
		s.log.json.LogAttrs(context.Background(), e.Level(), shown.Message(), shown.Attrs()...)
	}
	switch {
	case e.Kind != maintain.EventFailed:
	case kind == maintain.EventUpdateRefused:
		s.restoreFile(e.Err)
		return
	case s.counters.Repairs.Load() == 0 && isForbidden(e.Err):
		s.fail(e.Err)
		return
	}
	s.tracker.handle(e)
	text := describe(e, s.o.verbose)
	s.tracker.addEvent(e.Level(), text)
	if s.log.json == nil {
		s.log.write(e.Level(), text)
	}
	if e.Kind == maintain.EventReady {
		s.tracker.setReloadError("")
		if s.isReady() {
			defer s.endUpdate()
		} else { // no reload has begun, and from now on one can
			s.manager.notify("READY=1")
			close(s.allLooked)
		}
	}
	s.mu.Lock()
	s.lastEvent = text
	s.mu.Unlock()
	s.manager.notifyStatus(s.statusText())
}

// statusText returns the line that "systemctl status" shows. If the last reload failed, the
// line begins with the fault of the file.
func (s *service) statusText() string {
	fault := ""
	if text := s.tracker.reloadError(); text != "" {
		lines := strings.Split(text, "\n")
		fault = "NOT RELOADED, the old lines are in use: " + lines[0]
		if more := len(lines) - 1; more > 0 {
			fault += fmt.Sprintf(" (and %d more)", more)
		}
		fault += ". "
	}
	s.mu.Lock()
	last := s.lastEvent
	s.mu.Unlock()
	complete, all := s.tracker.count()
	return fmt.Sprintf("%s%d of %s complete, %s. Last: %s", fault, complete, plural(all, "uplink"),
		plural(int(s.tracker.repairs()), "repair"), last)
}

// restoreFile makes the previous file current again after a refused update.
func (s *service) restoreFile(err error) {
	s.tracker.restorePrevious()
	s.mu.Lock()
	file := s.file
	if s.previousFile != nil {
		s.file, s.previousFile = s.previousFile, nil
	}
	s.mu.Unlock()
	s.reportRefusal(file.locateError(err))
	s.endUpdate()
}

// isReady reports whether all uplinks have been checked once.
func (s *service) isReady() bool {
	select {
	case <-s.allLooked:
		return true
	default:
		return false
	}
}

// isForbidden reports whether an error says that this process lacks the privilege to change
// rules and routes.
func isForbidden(err error) bool {
	var name *plan.NameError
	var probe *health.Error
	return errors.Is(err, fs.ErrPermission) && !errors.As(err, &name) && !errors.As(err, &probe)
}
