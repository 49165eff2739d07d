package main

import (
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
)

func (p *program) routeList(w *words) error {
	f, err := p.readRouteFilter(w)
	if err != nil {
		return err
	}
	var routes []route.Route
	for m, err := range p.dumpRoutes(f) {
		if err != nil {
			if _, ok := err.(*failure); !ok && p.style.JSON && len(routes) == 0 {
				// ip(8) leaves the array open, which programs cannot read.
				if err := p.showRoutes(nil, 0); err != nil {
					return err
				}
			}
			return dumpError(err, "Dump terminated")
		}
		routes = append(routes, m.route)
	}
	return p.showRoutes(routes, f.omission())
}

// showRoutes prints routes with the names of their interfaces.
func (p *program) showRoutes(routes []route.Route, omit show.Omission) error {
	if err := p.loadLinks(); err != nil {
		return err
	}
	s := p.showStyle()
	s.Omit = omit
	if s.Details {
		if err := p.addNextHops(&s, routes); err != nil {
			return err
		}
	}
	_, err := io.WriteString(p.out, show.Routes(routes, s))
	return err
}

// A dumpEntry is a route of a dump, and its message.
type dumpEntry struct {
	msg   netlink.Message
	route route.Route
}

// dumpRoutes yields the routes that f selects, in the order of the kernel. A message is
// valid until the next iteration.
func (p *program) dumpRoutes(f *routeFilter) iter.Seq2[dumpEntry, error] {
	return func(yield func(dumpEntry, error) bool) {
		if err := p.dial(); err != nil {
			yield(dumpEntry{}, err)
			return
		}
		for m, err := range rtnl.Dump(p.conn, f.request()) {
			d := dumpEntry{msg: m}
			if err == nil && m.Header.Type != uapi.RTM_NEWROUTE {
				continue
			}
			if err == nil {
				err = d.route.UnmarshalBinary(m.Data)
			}
			if err != nil {
				// In a batch, ip(8) does not use strict checking, so the kernel
				// does not report that the table does not exist.
				if p.batch == "" || !errors.Is(err, syscall.ENOENT) {
					yield(dumpEntry{}, err)
				}
				return
			}
			if f.matches(&d.route) && !yield(d, nil) {
				return
			}
		}
	}
}

// dumpError returns the failure of a dump. The message ends with the line ended.
func dumpError(err error, ended string) error {
	if _, ok := err.(*failure); ok {
		return err
	}
	return failf(statusRefused, "%s\n%s", kernelText(err), ended)
}

// request returns the dump request for f. The kernel selects by family, table, protocol and
// interface.
func (f *routeFilter) request() netlink.Message {
	b := make([]byte, uapi.SizeofRtMsg, 32)
	b[uapi.RtMsgFamily] = uint8(f.dumpFamily())
	b[uapi.RtMsgProtocol] = uint8(f.protocol.Or(0))
	if f.cloned {
		binary.NativeEndian.PutUint32(b[uapi.RtMsgFlags:], uapi.RTM_F_CLONED)
	}
	if f.table != 0 {
		b = attr.AppendU32(b, uapi.RTA_TABLE, uint32(f.table))
	}
	if index, ok := f.oif.Get(); ok {
		b = attr.AppendU32(b, uapi.RTA_OIF, index)
	}
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
		Data:   b,
	}
}
