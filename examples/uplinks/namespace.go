package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// namespacePoll is how often run checks whether the namespace of -n still exists.
const namespacePoll = time.Second

// A goneError says that the network namespace that is maintained has lost its path.
type goneError struct {
	path  string
	again bool // another namespace has the path
}

func (e *goneError) Error() string {
	if e.again {
		return fmt.Sprintf("%s is another network namespace now: the process that had it has ended", e.path)
	}
	return fmt.Sprintf("the network namespace %s was deleted", e.path)
}

// isOfProcess reports whether the path of a network namespace is that of a process, whose
// number another process can get.
func isOfProcess(path string) bool { return strings.HasPrefix(path, "/proc/") }

// watchNamespace ends the service when the process of a path such as /proc/PID/ns/net ends.
// The old namespace would not end, because the sockets of this process keep it. The key, from
// netnsKey, names the namespace.
func (s *service) watchNamespace(ctx context.Context, path, key string) {
	for s.pollNamespace(ctx) {
		switch now, err := netnsKey(path); {
		case errors.Is(err, fs.ErrNotExist):
			s.fail(&goneError{path: path})
		case err == nil && now != key:
			s.fail(&goneError{path: path, again: true})
		default:
			continue
		}
		return
	}
}

// followNamespace moves the control socket when the name of -n becomes the name of another
// network namespace. [maintain.Run] follows the name by itself. It ends the service if another
// process maintains the uplinks there.
func (s *service) followNamespace(ctx context.Context, path, key string) {
	for s.pollNamespace(ctx) {
		now, err := netnsKey(path)
		if err != nil || now == key {
			continue
		}
		s.closeControl()
		if err := s.listen(); err != nil {
			s.fail(err)
			return
		}
		key = now
	}
}

// pollNamespace waits until the namespace has to be checked again. It returns false when ctx
// ends.
func (s *service) pollNamespace(ctx context.Context) bool {
	t := time.NewTimer(namespacePoll)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// fail ends the service with an error.
func (s *service) fail(err error) {
	s.mu.Lock()
	if s.fatalErr == nil {
		s.fatalErr = err
	}
	s.mu.Unlock()
	s.stop()
}
