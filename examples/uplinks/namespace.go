package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// namespacePoll is how often run looks whether the namespace of -n is still there.
const namespacePoll = time.Second

// A goneError says that the network namespace which is maintained has lost its name.
type goneError struct {
	path  string
	again bool // another namespace has the name
}

func (e *goneError) Error() string {
	if e.again {
		return fmt.Sprintf("%s is another network namespace now: the one before it was deleted", e.path)
	}
	return fmt.Sprintf("the network namespace %s was deleted", e.path)
}

// watchNamespace ends the service when the network namespace of -n is deleted, or made again:
// the one that is maintained would not end, as the sockets of this process keep it, and
// nobody would maintain the new one. A service manager starts run again. The namespace is that
// of the key, from netnsKey.
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
