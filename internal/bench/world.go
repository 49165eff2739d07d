package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// The subjects.
const (
	limit   = "raw limit"
	ours    = "policyroute"
	vish    = "vishvananda/netlink"
	jsim    = "jsimonetti/rtnetlink"
	ip      = "ip"
	ipBatch = "ip -batch"
)

// A world is a namespace with the sockets of the subjects.
type world struct {
	ctx  context.Context
	ns   *lab.NS
	link uint32 // the index of eth0

	bigSize int // number of routes in the big table
	// addresses of eth0, and rules and routes of others, that series have added
	addresses, foreignRules, foreignRoutes int

	raw  *rawSocket
	conn *rtnl.Conn // the inside of a route.Socket, which counts system calls
	vish *netlink.Handle
	jsim *rtnetlink.Conn

	closers []func() error // called before the sockets are closed
}

var (
	gateway = netip.MustParseAddr("10.255.0.2")
	source  = netip.MustParseAddr("10.255.0.1")
)

// newWorld makes a namespace in l.
func newWorld(ctx context.Context, l *lab.Lab, name string) (*world, error) {
	w := &world{ctx: ctx, ns: l.NS(name)}
	far := l.NS(name + "-far")
	w.ns.Link("eth0", far, "eth0")
	w.ns.Addr("eth0", "10.255.0.1/24")
	w.link = w.ns.Index("eth0")
	if err := l.Err(); err != nil {
		return nil, err
	}
	var errs [4]error
	w.raw, errs[0] = newRaw(w.ns)
	w.conn, errs[1] = rtnl.Dial(w.ns.Config())
	w.vish, errs[2] = netlink.NewHandleAt(netns.NsHandle(w.ns.FD()), unix.NETLINK_ROUTE)
	w.jsim, errs[3] = rtnetlink.Dial(w.ns.Config())
	return w, errors.Join(errs[:]...)
}

func (w *world) close() {
	for _, end := range w.closers {
		_ = end() // the namespace goes anyway
	}
	w.raw.Close()
	w.conn.Close()
	w.vish.Close()
	w.jsim.Close()
	w.ns.Close()
}

func (w *world) rawCalls() int  { return w.raw.calls }
func (w *world) connCalls() int { return w.conn.SystemCalls() }

// ip runs ip(8) in the namespace, and returns the number of lines of its output.
func (w *world) ip(input string, args ...string) (lines int, err error) {
	err = w.ns.Do(func() error {
		cmd := exec.Command("ip", args...)
		if input != "" {
			cmd.Stdin = strings.NewReader(input)
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		cmd.Stdout = lineCounter{&lines}
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, errs.String())
		}
		return nil
	})
	return lines, err
}

// A lineCounter is a writer that counts lines.
type lineCounter struct{ n *int }

func (c lineCounter) Write(b []byte) (int, error) {
	*c.n += strings.Count(string(b), "\n")
	return len(b), nil
}

var _ io.Writer = lineCounter{}

// repeat calls fn for 0 to n−1.
func repeat(n int, fn func(i int) error) (int, error) {
	for i := range n {
		if err := fn(i); err != nil {
			return i, fmt.Errorf("number %d: %w", i, err)
		}
	}
	return n, nil
}

// dst returns the destination of the i-th of up to 2²⁴ routes.
func dst(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
}

// The same route in the types of each subject.

func (w *world) route(i int, table rttables.ID) route.Route {
	return route.Route{
		Family: route.IPv4, Type: route.TypeUnicast, Dst: dst(i), Table: table, Protocol: route.ProtoStatic,
		Gateway: gateway, OIF: w.link,
	}
}

func (w *world) vishRoute(i int, table rttables.ID) *netlink.Route {
	return &netlink.Route{
		Dst: ipNet(dst(i)), Table: int(table), Protocol: unix.RTPROT_STATIC,
		Gw: gateway.AsSlice(), LinkIndex: int(w.link),
	}
}

func (w *world) jsimRoute(i int, table rttables.ID) *rtnetlink.RouteMessage {
	return &rtnetlink.RouteMessage{
		Family: unix.AF_INET, DstLength: 24, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST,
		Attributes: rtnetlink.RouteAttributes{
			Dst: dst(i).Addr().AsSlice(), Gateway: gateway.AsSlice(), OutIface: w.link, Table: uint32(table),
		},
	}
}

func (w *world) ipRoute(i int, table rttables.ID) string {
	return fmt.Sprintf("%s via %s dev eth0 table %d proto static", dst(i), gateway, table)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

// payloads returns the routes 0 to n−1 as payloads of messages.
func (w *world) payloads(n int, table rttables.ID) ([][]byte, error) {
	all := make([][]byte, n)
	_, err := repeat(n, func(i int) (err error) {
		all[i], err = w.route(i, table).AppendBinary(nil)
		return err
	})
	return all, err
}

// fill adds the routes from start to end−1 to a table.
func (w *world) fill(start, end int, table rttables.ID) error {
	var b route.Batch
	for i := start; i < end; i++ {
		b.Add(w.route(i, table))
		if b.Len() == 10_000 || i == end-1 {
			if err := b.Do(w.ctx, w.conn); err != nil {
				return err
			}
		}
	}
	return nil
}

// dump returns a dump request for the routes of a table.
func dump(table rttables.ID) []byte {
	p, err := route.Route{Family: route.IPv4, Table: table}.AppendBinary(nil)
	if err != nil {
		panic(err) // a route like this can always be encoded
	}
	// With strict checking, the kernel accepts only the table.
	p = attribute(p[:unix.SizeofRtMsg], unix.RTA_TABLE, binary.NativeEndian.AppendUint32(nil, uint32(table)))
	return prepare(unix.RTM_GETROUTE, unix.NLM_F_DUMP, 1, [][]byte{p})[0]
}

// attribute appends an attribute whose payload needs no padding.
func attribute(b []byte, typ uint16, payload []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, typ)
	return append(b, payload...)
}
