package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// The rows in this file do the same work for growing numbers of addresses and uplinks. The
// time for each one should stay the same.

// growthNote explains the ratio to the raw limit. To add a rule, the kernel passes all rules
// with the same priority. So with thousands of addresses the raw limit grows too.
const growthNote = "a gate is sent as well, rules are planned, and what was done is read back; " +
	"for each rule the kernel passes all of the same priority, so that the raw limit grows as well"

// address returns the i-th of many addresses of eth0.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 254, byte(i >> 8), byte(i)})
}

// addAddresses adds the addresses from start to end-1 to eth0.
func (w *world) addAddresses(start, end int) error {
	var b strings.Builder
	for i := start; i < end; i++ {
		fmt.Fprintf(&b, "addr add %s/32 dev eth0\n", address(i))
	}
	_, err := w.ip(b.String(), "-batch", "-")
	return err
}

// growthRows returns the rows for one uplink with many addresses, and for many uplinks.
func (w *world) growthRows(addresses, uplinks []int) ([]row, error) {
	var rows []row
	have := 0
	grow := func(n int) func() error {
		return func() error {
			if have >= n {
				return nil
			}
			err := w.addAddresses(have, n)
			have = n
			return err
		}
	}
	for _, n := range addresses {
		up := w.manyAddresses(n)
		install, err1 := w.growthRow(fmt.Sprintf("an uplink with %s addresses, 4 rules each: Install and Remove", count(n)), 4*n, up, grow(n))
		update, err2 := w.updateRow(n, up, grow(n))
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		rows = append(rows, install, update)
	}
	for _, n := range uplinks {
		up := w.manyUplinks(n)
		r, err := w.growthRow(fmt.Sprintf("%s uplinks, a rule and two routes each: Install and Remove", count(n)), n, up, grow(n))
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	for _, n := range uplinks {
		rows = append(rows, w.repairRow(n, grow(n)))
	}
	return rows, nil
}

// manyAddresses returns an uplink with n sources.
func (w *world) manyAddresses(n int) []table.SourceRoutedUplink {
	u := table.SourceRoutedUplink{
		Table: uplinkTable, Interface: "eth0", Gateway: gateway, MainFirst: true, Unreachable: true, Etc: os.DevNull,
	}
	for i := range n {
		u.Sources = append(u.Sources, address(i))
	}
	return []table.SourceRoutedUplink{u}
}

// manyUplinks returns n uplinks with one source each.
func (w *world) manyUplinks(n int) []table.SourceRoutedUplink {
	var all []table.SourceRoutedUplink
	for i := range n {
		all = append(all, table.SourceRoutedUplink{
			Table: rttables.ID(firstUplinkTable + i), Interface: "eth0", Gateway: gateway, Etc: os.DevNull,
			Sources: []netip.Addr{address(i)}, Routes: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
		})
	}
	return all
}

// firstUplinkTable is the table of the first of many uplinks.
const firstUplinkTable = 1000

// growthRow returns a row that installs and removes uplinks. The raw limit sends the same
// rules and routes without guard rules.
func (w *world) growthRow(name string, n int, up []table.SourceRoutedUplink, before func() error) (row, error) {
	r := row{
		name: name,
		note: growthNote,
	}
	times := max(1, 40/n) // of what is over at once
	r.n = n * times
	var datagrams [][]byte
	r.subjects = []subject{
		{who: limit, calls: w.rawCalls, before: func() (err error) {
			if err = before(); err == nil && datagrams == nil {
				datagrams, err = w.bareRequests(up)
			}
			return err
		}, run: func() (int, error) {
			_, err := repeat(times, func(int) error { return w.raw.write(datagrams) })
			return r.n, err
		}},
		{who: ours, calls: w.connCalls, before: before, run: func() (int, error) {
			_, err := repeat(times, func(int) error {
				return errors.Join(table.Install(w.ctx, w.conn, up...), table.Remove(w.ctx, w.conn, up...))
			})
			return r.n, err
		}},
	}
	for i := range r.subjects {
		r.subjects[i].after = func() error { return w.expectRules(0) }
	}
	return r, nil
}

// updateNote explains what grows in an update. The old and the new rules are there at the same
// time, so that all sources change over in one step. To find the place of a rule, or the rule to
// delete, the kernel passes all rules before it; and while there is a rule goto, it passes all
// rules for each that it deletes.
const updateNote = growthNote + "; to add or delete a rule of one generation, the kernel passes those of the other"

// updateRow returns a row that changes all rules of an installed uplink, and changes them back.
func (w *world) updateRow(n int, up []table.SourceRoutedUplink, before func() error) (row, error) {
	other := up[0]
	other.Unreachable = false
	installed := func() error { return errors.Join(before(), table.Install(w.ctx, w.conn, up...)) }
	removed := func() error { return errors.Join(table.Remove(w.ctx, w.conn, up...), w.expectRules(0)) }
	r := row{
		name: fmt.Sprintf("an uplink with %s addresses: without Unreachable, and back", count(n)), n: 7 * n,
		note: updateNote,
	}
	var datagrams [][]byte
	r.subjects = []subject{
		{who: limit, calls: w.rawCalls, before: func() (err error) {
			if err = before(); err == nil && datagrams == nil {
				datagrams, err = w.bareRequests([]table.SourceRoutedUplink{up[0], other})
			}
			return err
		}, run: func() (int, error) { return 7 * n, w.raw.write(datagrams) }},
		{who: ours, calls: w.connCalls, before: installed, run: func() (int, error) {
			return 7 * n, errors.Join(table.Install(w.ctx, w.conn, other), table.Install(w.ctx, w.conn, up...))
		}, after: removed},
	}
	return r, nil
}

// bareRequests returns the requests that add the rules and routes of uplinks, and delete them
// again. Each request is acknowledged before the next. Rules are added from the highest
// priority number to the lowest and deleted from the lowest to the highest, which is the
// fastest order for the kernel.
func (w *world) bareRequests(up []table.SourceRoutedUplink) ([][]byte, error) {
	var all [][]byte
	for i := range up {
		p, err := table.PlanInstall(w.ctx, w.conn, up[i])
		if err != nil {
			return nil, err
		}
		var rules []rule.Rule
		var routes []route.Route
		net := p.Net()
		for k := range net.Steps {
			switch s := &net.Steps[k]; {
			case s.Op.IsRule():
				rules = append(rules, s.Rule)
			case s.Op.IsRoute():
				routes = append(routes, s.Route)
			}
		}
		some, err := bareDatagrams(rules, routes)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func bareDatagrams(rules []rule.Rule, routes []route.Route) (datagrams [][]byte, err error) {
	type message struct {
		typ, flags uint16
		what       interface{ AppendBinary([]byte) ([]byte, error) }
	}
	var all []message
	for _, r := range routes {
		all = append(all, message{unix.RTM_NEWROUTE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, r})
	}
	for _, r := range highestFirst(rules) {
		all = append(all, message{unix.RTM_NEWRULE, unix.NLM_F_CREATE, r})
	}
	for _, r := range rules {
		all = append(all, message{unix.RTM_DELRULE, 0, r})
	}
	for i := range routes {
		all = append(all, message{unix.RTM_DELROUTE, 0, routes[len(routes)-1-i]})
	}
	for _, x := range all {
		p, err := x.what.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		datagrams = append(datagrams, prepare(x.typ, x.flags, 1, [][]byte{p})...)
	}
	return datagrams, nil
}
