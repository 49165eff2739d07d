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

// noAnswerPatience is how long to wait for an answer that should not arrive. It is less than
// the second after which TCP sends the first packet again, so there is one packet each way.
const noAnswerPatience = 700 * time.Millisecond

// A flow is the two ends of a connection. An invalid address matches any address: the kernel
// has not chosen one.
type flow struct {
	server, client netip.AddrPort
}

// fromServer and toServer report whether a packet belongs to the flow, by direction.
func (f flow) fromServer(p lab.Packet) bool {
	return matches(p.Src, f.server) && matches(p.Dst, f.client)
}
func (f flow) toServer(p lab.Packet) bool {
	return matches(p.Src, f.client) && matches(p.Dst, f.server)
}

func matches(have, want netip.AddrPort) bool {
	return have == want || !want.Addr().IsValid() && have.Port() == want.Port()
}

// A count has the numbers of packets of a flow.
type count struct {
	to, from [2]int // by router, on its interface to the server
	reached  int    // packets from the server that the routers forwarded to the client
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

// seenOnlyAt reports whether there were packets at one router, and none at the other.
func seenOnlyAt(counts [2]int, router int) bool { return counts[router] > 0 && counts[1-router] == 0 }

// A call is an attempt to connect, and its result.
type call struct {
	flow
	count
	err error
}

// callServer makes the client connect to an address of the server. Each call has its own
// port, so that no packet is counted for two calls.
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

// callClient makes the server connect to the client from a socket that is not bound to an
// address: the kernel takes the source from the route.
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

// talk connects, sends a line and waits for its echo. It returns the near end of the
// connection, which is invalid if there was no connection.
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

// The results of a call.
const (
	answered = "answered"
	noAnswer = "no answer"
	failed   = "error"
)

// result returns the result of a call.
func (c call) result() string {
	var ne net.Error
	switch {
	case c.err == nil:
		return answered
	case errors.Is(c.err, os.ErrDeadlineExceeded), errors.As(c.err, &ne) && ne.Timeout():
		return noAnswer
	}
	return failed
}

// waitFor waits until the answer to a call has arrived at a router. On a slow machine that
// can take longer than the caller waits.
func (n *network) waitFor(c call, router int, patience time.Duration) call {
	n.routers[router].lan.Wait(1, func(p lab.Packet) bool { return !p.Out && c.fromServer(p) }, patience)
	c.count = n.count(c.flow)
	return c
}
