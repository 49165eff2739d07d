package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/maintain"
)

// repairs is the number of repairs in a run.
const repairs = 20

// A maintainRun is a running maintain.Run.
type maintainRun struct {
	repaired chan struct{} // a value for each repair
	ready    chan struct{}
	stop     context.CancelFunc
	done     sync.WaitGroup
	err      error
}

// startMaintain starts maintain.Run, and waits until the uplinks are installed. It removes
// them at the end, if remove is set.
func (w *world) startMaintain(up []table.SourceRoutedUplink, remove bool) (*maintainRun, error) {
	ctx, stop := context.WithCancel(w.ctx)
	k := &maintainRun{repaired: make(chan struct{}, repairs), ready: make(chan struct{}, 1), stop: stop}
	config := &maintain.Config{Remove: remove, Rate: 1e6, Event: func(e maintain.Event) {
		switch e.Kind {
		case maintain.EventRepaired:
			k.repaired <- struct{}{}
		case maintain.EventReady:
			k.ready <- struct{}{}
		}
	}}
	var all []maintain.Uplink
	for _, u := range up {
		all = append(all, maintain.Uplink{SourceRoutedUplink: u})
	}
	k.done.Add(1)
	go func() {
		defer k.done.Done()
		dial := func() (route.Conn, error) { return route.Dial(w.ns.Config()) }
		k.err = maintain.Run(ctx, dial, config, all...)
		stop()
	}()
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil, errors.Join(k.end(), ctx.Err())
	}
	return k, nil
}

// end ends maintain.Run, which removes the uplinks.
func (k *maintainRun) end() error {
	k.stop()
	k.done.Wait()
	return k.err
}

// repairRow returns the row in which the rule of one of n uplinks is deleted again and again,
// and maintain.Run restores it. The raw limit adds the rule itself.
func (w *world) repairRow(n int, before func() error) row {
	r := row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks: a deleted rule is back", count(n)), n: repairs,
		note: "the plan is made twice, to see what is missing and again under the lock, and each time the routes of the table are read",
	}
	var k *maintainRun
	up := w.manyUplinks(n)
	lost := rule.Rule{
		Family: route.IPv4, From: netip.PrefixFrom(address(0), 32), Action: rule.ActionLookup, Table: firstUplinkTable,
		Priority: rule.Priority(31000), Protocol: table.Protocol,
	}
	var add, del [][]byte
	r.subjects = []subject{
		{who: limit, calls: w.rawCalls, before: func() error {
			p, err := lost.AppendBinary(nil)
			add = prepare(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 1, [][]byte{p})
			del = prepare(unix.RTM_DELRULE, 0, 1, [][]byte{p})
			return errors.Join(err, before())
		}, run: func() (int, error) {
			return repeat(repairs, func(int) error { return errors.Join(w.raw.write(add), w.raw.write(del)) })
		}},
		{who: ours, before: func() (err error) {
			if err = before(); err == nil {
				k, err = w.startMaintain(up, true)
			}
			return err
		}, run: func() (int, error) {
			return repeat(repairs, func(int) error {
				if err := w.raw.write(del); err != nil {
					return err
				}
				select {
				case <-k.repaired:
					return nil
				case <-w.ctx.Done():
					return w.ctx.Err()
				}
			})
		}, after: func() error { return errors.Join(k.end(), w.expectRules(0)) }},
	}
	return r
}
