package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
)

// noAnswer is how long a connection is tried that is going to die. The
// first packet would be sent again after a second: so there is one each way.
const noAnswer = 700 * time.Millisecond

// A flow is one connection, by its ends. An address that is not known, because
// the kernel was to choose it and did not come to that, stands for any.
type flow struct {
	server, client netip.AddrPort
}

// fromServer and toServer tell the packets of a flow by their direction.
func (f flow) fromServer(p lab.Packet) bool { return is(p.Src, f.server) && is(p.Dst, f.client) }
func (f flow) toServer(p lab.Packet) bool   { return is(p.Src, f.client) && is(p.Dst, f.server) }

func is(have, want netip.AddrPort) bool {
	return have == want || !want.Addr().IsValid() && have.Port() == want.Port()
}

// A count is how many packets of a flow were seen.
type count struct {
	to, from [2]int // at the routers' sides of the server
	reached  int    // those from the server that the routers passed on to the client
}

// count counts the packets of a flow so far.
func (n *network) count(f flow) count {
	var c count
	for i, r := range n.routers {
		for _, p := range r.lan.Packets() {
			switch {
			case p.Out && f.toServer(p):
				c.to[i]++
			case !p.Out && f.fromServer(p):
				c.from[i]++
			}
		}
		c.reached += r.wan.Count(func(p lab.Packet) bool { return p.Out && f.fromServer(p) })
	}
	return c
}

// only reports whether something was counted at one router, and nothing at the
// other.
func only(counts [2]int, router int) bool { return counts[router] > 0 && counts[1-router] == 0 }

// A call is a connection that was tried, and what became of it.
type call struct {
	flow
	count
	err error
}

// callServer has the client connect to an address of the server. Each call is
// from a port of its own, so that no packet counts for two.
func (n *network) callServer(ctx context.Context, p plan, router int, patience time.Duration) call {
	n.port++
	c := call{flow: flow{
		client: netip.AddrPortFrom(p.client.Addr(), n.port),
		server: netip.AddrPortFrom(p.sides[router].server.Addr(), vpnPort),
	}}
	_, c.err = talk(ctx, n.client, p.tcp, c.client.String(), c.server.String(), patience)
	c.count = n.count(c.flow)
	return c
}

// callClient has the server connect to the client, from a socket that is bound
// to no address: the kernel chooses the source by the route.
func (n *network) callClient(ctx context.Context, p plan, port uint16, patience time.Duration) call {
	n.port++
	c := call{flow: flow{
		client: netip.AddrPortFrom(p.client.Addr(), port),
		server: netip.AddrPortFrom(netip.Addr{}, n.port),
	}}
	near, err := talk(ctx, n.server, p.tcp, fmt.Sprintf(":%d", n.port), c.client.String(), patience)
	if c.err = err; near.IsValid() {
		c.server = near
	}
	c.count = n.count(c.flow)
	return c
}

// talk connects, says a line and waits until it comes back. It returns the
// near end of the connection, unless there was none.
func talk(ctx context.Context, ns *lab.NS, tcp, from, to string, patience time.Duration) (netip.AddrPort, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := ns.Dial(ctx, tcp, from, to)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	var near netip.AddrPort
	if a, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		near = a.AddrPort()
	}
	const line = "hello\n"
	if _, err := io.WriteString(conn, line); err != nil {
		return near, err
	}
	got, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && got != line {
		err = fmt.Errorf("sent %q, got %q back", line, got)
	}
	return near, err
}

// result says in a word or two what became of a call.
func (c call) result() string {
	var ne net.Error
	switch {
	case c.err == nil:
		return "answered"
	case errors.Is(c.err, os.ErrDeadlineExceeded), errors.As(c.err, &ne) && ne.Timeout():
		return "no answer"
	}
	return "error"
}

// waitFor waits until the answer to a call has come to a router, for a slow
// machine on which that takes longer than the caller waits.
func (n *network) waitFor(c call, router int, patience time.Duration) call {
	n.routers[router].lan.Wait(1, func(p lab.Packet) bool { return !p.Out && c.fromServer(p) }, patience)
	c.count = n.count(c.flow)
	return c
}
