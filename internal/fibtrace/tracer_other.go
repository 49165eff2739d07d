//go:build !linux

package fibtrace

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Tracer reads events, on Linux only.
type Tracer struct{}

var errNoTracing = fmt.Errorf("fibtrace: %w", errors.ErrUnsupported)

// Open fails with errors.ErrUnsupported.
func Open(*Config) (*Tracer, error) { return nil, errNoTracing }

// Close fails with errors.ErrUnsupported.
func (*Tracer) Close() error { return errNoTracing }

// Lost fails with errors.ErrUnsupported.
func (*Tracer) Lost() (uint64, error) { return 0, errNoTracing }

// Now fails with errors.ErrUnsupported.
func (*Tracer) Now() (time.Duration, error) { return 0, errNoTracing }

// Comm returns nothing.
func (*Tracer) Comm(int) string { return "" }

// Read fails with errors.ErrUnsupported.
func (*Tracer) Read(events []Event) ([]Event, error) { return events, errNoTracing }

// Events yields errors.ErrUnsupported.
func (*Tracer) Events(context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) { yield(Event{}, errNoTracing) }
}
