package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// A state is what of the uplinks is in the kernel. Two states are equal if they do the same
// with every packet: the rules of each selector in their order, without priorities, which
// can differ, and the routes.
type state struct {
	uplinks string // rules and routes of the uplinks
	shared  string // the default routes that they share
}

// readState reads the state from the kernel.
func readState(ctx context.Context, c route.Conn) (state, error) {
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return state{}, err
	}
	names := &route.Names{Links: links}
	rules := make(map[string][]string)
	for r, err := range rule.All(ctx, c, rule.Filter{Protocol: table.Protocol}) {
		if err != nil {
			return state{}, err
		}
		key := fmt.Sprint(r.Family, " ", r.From, " ", r.FwMark)
		r.Priority = route.Opt[uint32]{}
		rules[key] = append(rules[key], fmt.Sprint(r.Family, " rule ", r))
	}
	var own, shared []string
	for _, ladder := range rules {
		own = append(own, strings.Join(ladder, "\n"))
	}
	for r, err := range route.All(ctx, c, route.Filter{Protocol: table.Protocol}) {
		if err != nil {
			return state{}, err
		}
		text := fmt.Sprint(r.Family, " route ", r.Text(names))
		if r.Table == rttables.Main {
			shared = append(shared, text)
		} else {
			own = append(own, text)
		}
	}
	slices.Sort(own)
	slices.Sort(shared)
	return state{strings.Join(own, "\n"), strings.Join(shared, "\n")}, nil
}

// diff returns the lines that only one of two states has.
func (s state) diff(want state) string {
	have := strings.Split(s.uplinks+"\n"+s.shared, "\n")
	wanted := strings.Split(want.uplinks+"\n"+want.shared, "\n")
	var b strings.Builder
	for _, line := range have {
		if !slices.Contains(wanted, line) {
			fmt.Fprintln(&b, "+", line)
		}
	}
	for _, line := range wanted {
		if !slices.Contains(have, line) {
			fmt.Fprintln(&b, "-", line)
		}
	}
	if b.Len() == 0 && s != want {
		return "the order differs\n" + s.uplinks + "\n" + s.shared
	}
	return b.String()
}

// errIncomplete is the error of a state that is not complete in time.
var errIncomplete = errors.New("the state is not complete")

// waitComplete waits until the state is what it was at the beginning, and returns how long
// that took, for the uplinks and for the shared default.
func (w *world) waitComplete(ctx context.Context) (own, shared time.Duration, err error) {
	begin := time.Now()
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		now, err := readState(ctx, w.conn)
		took := time.Since(begin)
		switch {
		case err != nil && took < patience: // such as a listing that a flood of changes has interrupted
			now = state{}
		case err != nil:
			return 0, 0, err
		}
		switch {
		case now.uplinks == w.base.uplinks && own == 0:
			own = took
		case now.uplinks != w.base.uplinks:
			own = 0
		}
		if now == w.base {
			return own, took, nil
		}
		if took > patience {
			return own, took, fmt.Errorf("%w after %v:\n%s", errIncomplete, took.Round(time.Second), now.diff(w.base))
		}
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(wait):
		}
	}
}
