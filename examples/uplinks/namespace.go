package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// namespacePoll is how often run checks whether the namespace of -n still exists.
const namespacePoll = time.Second

// A goneError says that the network namespace that is maintained has lost its name.
type goneError struct {
	path  string
	again bool // another namespace has the name
}

func (e *goneError) Error() string {
	if e.again {
		return fmt.Sprintf("%s is another network namespace now: the old one was deleted", e.path)
	}
	return fmt.Sprintf("the network namespace %s was deleted", e.path)
}

// watchNamespace ends the service when the network namespace of -n is deleted, or deleted and
// made again. The old namespace would not end, because the sockets of this process keep it,
// and no process would maintain the new one. A service manager starts run again. The key, from
// netnsKey, names the namespace.
func (s *service) watchNamespace(ctx context.Context, path, key string) {
	tick := time.NewTicker(namespacePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
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

// fail ends the service with an error.
func (s *service) fail(err error) {
	s.mu.Lock()
	if s.fatalErr == nil {
		s.fatalErr = err
	}
	s.mu.Unlock()
	s.stop()
}
