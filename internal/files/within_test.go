package files

import (
	"errors"
	"testing"
	"time"
)

func TestWithin(t *testing.T) {
	failure := errors.New("no")
	if n, err := Within(time.Hour, "dir", func() (int, error) { return 7, failure }); n != 7 || err != failure {
		t.Errorf("%d, %v; want what the function returns", n, err)
	}
	hold := make(chan struct{})
	defer close(hold)
	n, err := Within(time.Millisecond, "/srv/names", func() (int, error) { <-hold; return 7, nil })
	if silent := new(SilentError); n != 0 || !errors.As(err, &silent) || silent.Dir != "/srv/names" {
		t.Errorf("%d, %v; want that /srv/names does not answer", n, err)
	}
}
