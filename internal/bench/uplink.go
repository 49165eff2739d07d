package main

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
)

// uplinkTable is the table of the uplink.
const uplinkTable = 20

// uplinkRow returns the row that installs and removes a SourceRoutedUplink. Install reads the
// state of the host, checks it, and adds two routes and a rule. The other subjects make only
// the six requests: the raw limit with an acknowledgement for each, and ip with six runs.
func (w *world) uplinkRow() (row, error) {
	const n = 40
	uplink := table.SourceRoutedUplink{Table: uplinkTable, Interface: "eth0", Gateway: gateway, Etc: os.DevNull}
	six, err := w.sixRequests()
	r := row{
		name: "`SourceRoutedUplink`: Install and Remove, checked (raw and ip: six bare requests)", n: n,
		targets: []target{{"raw", 4}, {"programs", 50}},
		note:    "it takes the lock, reads rules, the interface, addresses and the routes of the table, and reads back before the step: 29 system calls, in which the kernel alone takes 2.6 times what the six requests take",
		subjects: []subject{
			{who: limit, calls: w.rawCalls, run: func() (int, error) {
				return repeat(n, func(int) error { return w.raw.write(six) })
			}},
			{who: ours, calls: w.connCalls, run: func() (int, error) {
				return repeat(n, func(int) error {
					if err := uplink.Install(w.ctx, w.conn); err != nil {
						return err
					}
					return uplink.Remove(w.ctx, w.conn)
				})
			}},
			{who: ip, programs: true, run: func() (int, error) {
				return repeat(n, func(int) error {
					for _, args := range [][]string{
						{"route", "add", "10.255.0.0/24", "dev", "eth0", "src", source.String(), "table", "20"},
						{"route", "add", "default", "via", gateway.String(), "src", source.String(), "table", "20"},
						{"rule", "add", "from", source.String(), "lookup", "20", "pref", "31000"},
						{"rule", "del", "from", source.String(), "lookup", "20", "pref", "31000"},
						{"route", "del", "default", "table", "20"},
						{"route", "del", "10.255.0.0/24", "table", "20"},
					} {
						if _, err := w.ip("", args...); err != nil {
							return err
						}
					}
					return nil
				})
			}},
		},
	}
	for i := range r.subjects {
		r.subjects[i].after = func() error { return errors.Join(w.expectRules(0), w.expect(0, uplinkTable)) }
	}
	return r, err
}

// sixRequests returns the requests that add and delete the routes and the rule of an uplink.
func (w *world) sixRequests() (datagrams [][]byte, err error) {
	r := rule.Rule{
		Family: route.IPv4, From: netip.PrefixFrom(source, 32), Action: rule.ActionLookup, Table: uplinkTable,
		Priority: rule.Priority(31000), Protocol: table.Protocol,
	}
	subnet := route.Route{
		Family: route.IPv4, Type: route.TypeUnicast, Scope: route.ScopeLink, Dst: netip.PrefixFrom(source, 24).Masked(), OIF: w.link,
		PrefSrc: source, Table: uplinkTable, Protocol: table.Protocol,
	}
	out := subnet
	out.Dst, out.Scope, out.Gateway = netip.Prefix{}, route.ScopeGlobal, gateway
	for _, x := range []struct {
		typ, flags uint16
		what       interface{ AppendBinary([]byte) ([]byte, error) }
	}{
		{unix.RTM_NEWROUTE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, subnet},
		{unix.RTM_NEWROUTE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, out},
		{unix.RTM_NEWRULE, unix.NLM_F_CREATE | unix.NLM_F_EXCL, r},
		{unix.RTM_DELRULE, 0, r},
		{unix.RTM_DELROUTE, 0, out},
		{unix.RTM_DELROUTE, 0, subnet},
	} {
		p, err := x.what.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		datagrams = append(datagrams, prepare(x.typ, x.flags, 1, [][]byte{p})...)
	}
	return datagrams, nil
}
