package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// The rows in this file measure maintain.Run on a host where others change things. Each
// uplink has an interface of its own.

const (
	// pause is the time after an event, in which maintain.Run does what it wants to do.
	pause = 20 * time.Millisecond
	// eventsEach is how many events there are in a run.
	eventsEach = 20
	// otherTable is the table of rules and routes of others.
	otherTable = 5000
)

// A keeping is a host with uplinks that maintain.Run keeps, beside rules of others.
type keeping struct {
	w      *world
	links  int // that the host has
	rules  int // of others
	routes int // of others
	kept   int // uplinks
	run    *maintainRun
}

// interfaceOf returns the name of the interface of the i-th uplink.
func interfaceOf(i int) string { return fmt.Sprintf("u%d", i) }

// subnetOf returns the subnet of the i-th uplink.
func subnetOf(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
}

// addLinks makes interfaces until there are n.
func (k *keeping) addLinks(n int) error {
	var b strings.Builder
	for ; k.links < n; k.links++ {
		dev := interfaceOf(k.links)
		a := subnetOf(k.links).Addr().Next().Next()
		fmt.Fprintf(&b, "link add %s type ifb\nlink set %s up\naddr add %s/24 dev %s\n", dev, dev, a, dev)
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := k.w.ip(b.String(), "-batch", "-")
	return err
}

// otherRule returns the i-th rule of others. They come before those of uplinks. Half of them
// select by a mark, and half by a source.
func otherRule(i int) rule.Rule {
	r := rule.Rule{
		Family: route.IPv4, Priority: rule.Priority(uint32(1000 + i%20_000)), Action: rule.ActionLookup, Table: otherTable,
		Protocol: route.ProtoStatic,
	}
	if i%2 == 0 {
		r.FwMark = rule.FwMark(uint32(i + 1))
	} else {
		r.From = netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16 + byte(i>>16), byte(i >> 8), byte(i)}), 32)
	}
	return r
}

// setRules adds or deletes rules of others until there are n.
func (k *keeping) setRules(n int) error {
	var more []rule.Rule
	for i := k.rules; i < n; i++ {
		more = append(more, otherRule(i))
	}
	var err error
	if n < k.rules {
		_, err = rule.Flush(k.w.ctx, k.w.conn, rule.Filter{Table: otherTable})
		if k.rules = 0; n > 0 && err == nil {
			return k.setRules(n)
		}
	}
	if len(more) > 0 {
		err = rule.AddAll(k.w.ctx, k.w.conn, more)
	}
	k.rules = n
	return err
}

// uplinks returns n uplinks.
func (k *keeping) uplinks(n int) []table.SourceRoutedUplink {
	all := make([]table.SourceRoutedUplink, n)
	for i := range all {
		all[i] = table.SourceRoutedUplink{
			Table: rttables.ID(firstUplinkTable + i), Interface: interfaceOf(i), Gateway: subnetOf(i).Addr().Next(), Etc: os.DevNull,
		}
	}
	return all
}

// keep has maintain.Run keep n uplinks beside rules of others.
func (k *keeping) keep(n, rules int) error {
	if k.run != nil && k.kept == n && k.rules == rules {
		return nil
	}
	if err := errors.Join(k.end(), k.addLinks(n), k.setRules(rules)); err != nil {
		return err
	}
	var err error
	k.run, err = k.w.startMaintain(k.uplinks(n), false)
	k.kept = n
	time.Sleep(2 * time.Second) // until new addresses can be used, and that is known
	return err
}

// end ends maintain.Run, if it runs, and removes what it has installed.
func (k *keeping) end() error {
	if k.run == nil {
		return nil
	}
	err := k.run.end()
	k.run = nil
	_, err1 := rule.Flush(k.w.ctx, k.w.conn, rule.Filter{Protocol: table.Protocol})
	_, err2 := route.Flush(k.w.ctx, k.w.conn, route.Filter{Protocol: table.Protocol})
	return errors.Join(err, err1, err2)
}

// A foreignEvent is something that others do, and undo.
type foreignEvent struct {
	what     string
	do, undo [][]byte // datagrams
}

// row returns the row for an event that concerns no uplink.
func (k *keeping) row(e foreignEvent, uplinks, rules int) row {
	name := fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules: %s", count(uplinks), count(rules), e.what)
	return row{
		name: name, n: eventsEach, targets: []target{{"cpu ms", 2}},
		note: "the processor time of an event that concerns no uplink, with that of the change itself",
		subjects: []subject{{who: ours, before: func() error { return k.keep(uplinks, rules) }, run: func() (int, error) {
			return repeat(eventsEach, func(i int) error {
				datagrams := e.do
				if i%2 == 1 {
					datagrams = e.undo
				}
				err := k.w.raw.write(datagrams)
				time.Sleep(pause)
				return err
			})
		}}},
	}
}

// stormRow returns the row for events of others at a rate: rules and routes come and go.
func (k *keeping) stormRow(rate, uplinks, rules int, length time.Duration) (row, error) {
	events, err := k.foreignEvents()
	n := max(4, int(float64(rate)*length.Seconds()))
	return row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules: %s events of others a second", count(uplinks), count(rules), count(rate)),
		n:    n, targets: []target{{"cpu ms", 0.2 + 10/float64(rate)}},
		note: "each event, with that of the change itself",
		subjects: []subject{{who: ours, before: func() error { return k.keep(uplinks, rules) }, run: func() (int, error) {
			begin := time.Now()
			return repeat(n, func(i int) error {
				// One rule for each route.
				e := events[[2]int{0, 4}[i/2%2]]
				datagrams := e.do
				if i%2 == 1 {
					datagrams = e.undo
				}
				time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
				return k.w.raw.write(datagrams)
			})
		}}},
	}, err
}

// backRow returns the row in which a rule of an uplink is deleted, and is back.
func (k *keeping) backRow(uplinks, rules int) (row, error) {
	lost := rule.Rule{
		Family: route.IPv4, From: netip.PrefixFrom(subnetOf(0).Addr().Next().Next(), 32), Action: rule.ActionLookup, Table: firstUplinkTable,
		Priority: rule.Priority(31000), Protocol: table.Protocol,
	}
	p, err := lost.AppendBinary(nil)
	del := prepare(unix.RTM_DELRULE, 0, 1, [][]byte{p})
	return row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules: a deleted rule is back", count(uplinks), count(rules)),
		n:    repairs, targets: []target{{"wall ms", 20}},
		note: "of this, maintain.Run waits 1.25 ms for more events, and as long as the look before took",
		subjects: []subject{{who: ours, before: func() error { return k.keep(uplinks, rules) }, run: func() (int, error) {
			return repeat(repairs, func(int) error {
				if err := k.w.raw.write(del); err != nil {
					return err
				}
				select {
				case <-k.run.repaired:
					return nil
				case <-k.w.ctx.Done():
					return k.w.ctx.Err()
				}
			})
		}}},
	}, err
}

// idleRow returns the row in which nothing happens.
func (k *keeping) idleRow(uplinks, rules int, length time.Duration) row {
	return row{
		name: fmt.Sprintf("`maintain.Run` of %s uplinks beside %s rules: a second in which nothing happens", count(uplinks), count(rules)),
		n:    1, targets: []target{{"cpu ms", 1}},
		subjects: []subject{{who: ours, before: func() error { return k.keep(uplinks, rules) }, run: func() (int, error) {
			time.Sleep(length)
			return 1, nil
		}}},
	}
}
