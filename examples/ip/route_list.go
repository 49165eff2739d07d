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
			return dumpError(err, "Dump terminated")
		}
		routes = append(routes, m.route)
	}
	return p.showRoutes(routes, f.omit())
}

// showRoutes writes routes, whose interfaces need names.
func (p *program) showRoutes(routes []route.Route, omit show.Omission) error {
	if err := p.loadLinks(); err != nil {
		return err
	}
	s := p.shown()
	s.Omit = omit
	if s.Details {
		if err := p.addNextHops(&s, routes); err != nil {
			return err
		}
	}
	_, err := io.WriteString(p.out, show.Routes(routes, s))
	return err
}

// A dumped is a route of a listing and the message that it came in.
type dumped struct {
	msg   netlink.Message
	route route.Route
}

// dumpRoutes yields the routes that f selects, in the kernel's order. A message
// is valid until the next one is asked for.
func (p *program) dumpRoutes(f *routeFilter) iter.Seq2[dumped, error] {
	return func(yield func(dumped, error) bool) {
		if err := p.dial(); err != nil {
			yield(dumped{}, err)
			return
		}
		for m, err := range rtnl.Dump(p.conn, f.request()) {
			d := dumped{msg: m}
			if err == nil && m.Header.Type != uapi.RTM_NEWROUTE {
				continue
			}
			if err == nil {
				err = d.route.UnmarshalBinary(m.Data)
			}
			if err != nil {
				// In a batch ip(8) asks without strict checking, and is not
				// told that there is no such table.
				if p.batch == "" || !errors.Is(err, syscall.ENOENT) {
					yield(dumped{}, err)
				}
				return
			}
			if f.match(&d.route) && !yield(d, nil) {
				return
			}
		}
	}
}

// dumpError is the failure of a dump: what ip(8) says of that, and then that it
// ended.
func dumpError(err error, ended string) error {
	if _, ok := err.(*failure); ok {
		return err
	}
	return fail(statusRefused, "%s\n%s", kernelText(err), ended)
}

// request is the dump request for f: the kernel selects by family, table,
// protocol and interface.
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
