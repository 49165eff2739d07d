package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/iptext"
)

// readPatience is how long a read may still take after a signal.
const readPatience = time.Second / 2

// load reads the file, and keeps the uplinks whose names the command line has, if it has names.
func (o *options) load(ctx context.Context) (*config, error) {
	return o.loadWith(ctx, files.ReadGiven)
}

// loadAgain is load for a file that was read before. A pipe would have no more data.
func (o *options) loadAgain(ctx context.Context) (*config, error) {
	return o.loadWith(ctx, files.Read)
}

func (o *options) loadWith(ctx context.Context, read func(string) ([]byte, error)) (*config, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // a file system that does not answer, or a pipe, holds up nothing else
		text, err := read(o.file)
		done <- result{text, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		case <-time.After(readPatience):
			return nil, fmt.Errorf("uplinks: %s could not be read: %w", o.file, ctx.Err())
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("uplinks: %w", r.err)
	}
	return o.parse(o.file, string(r.text))
}

// parse is load for a text that is already read.
func (o *options) parse(name, text string) (*config, error) {
	parse := parseConfig
	if o.namesElsewhere {
		parse = parseWithout
	}
	file, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range file.uplinks {
		file.uplinks[i].Etc = o.etc
		names = append(names, file.uplinks[i].Name)
	}
	for _, name := range o.names {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("uplinks: %s has no uplink %q%s", o.file, name, iptext.Suggest(name, names))
		}
	}
	if len(o.names) > 0 {
		file.keepOnly(o.names)
	}
	return file, nil
}
