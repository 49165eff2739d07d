//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A tap counts the packets that arrive at the router of a provider.
type tap struct {
	arrived atomic.Int64 // packets of the flood
	astray  atomic.Int64 // packets with an address of the other provider

	mu   sync.Mutex
	last string // the last packet that went astray
}

// open begins to count. The namespace is that of the provider.
func (t *tap) open(p *provider) error {
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return err
	}
	dev, err := net.InterfaceByName("lan")
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: dev.Index})
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	go func() {
		b := make([]byte, 128)
		for {
			n, from, err := unix.Recvfrom(fd, b, 0)
			switch {
			case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.EINTR): // the cable was pulled
				continue
			case err != nil:
				fmt.Fprintln(os.Stderr, "tap:", err)
				return
			}
			if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype != unix.PACKET_OUTGOING {
				t.count(p, b[:n])
			}
		}
	}()
	return nil
}

// floodPort is the port to which the flood goes.
const floodPort = 9

// count counts a packet. Packets with other addresses than those of the providers are not of
// interest.
func (t *tap) count(p *provider, b []byte) {
	src, proto, payload := parseIP(b)
	if slices.ContainsFunc(p.prefix[:], func(x netip.Prefix) bool { return x.Contains(src) }) {
		if proto == unix.IPPROTO_UDP && len(payload) > 3 && payload[2] == 0 && payload[3] == floodPort {
			t.arrived.Add(1)
		}
		return
	}
	for _, o := range providers {
		if o != p && slices.ContainsFunc(o.prefix[:], func(x netip.Prefix) bool { return x.Contains(src) }) {
			t.mu.Lock()
			t.last = fmt.Sprintf("protocol %d from %s", proto, src)
			t.mu.Unlock()
			t.astray.Add(1)
		}
	}
}

// parseIP returns the source, the protocol and the payload of a packet.
func parseIP(b []byte) (src netip.Addr, proto byte, payload []byte) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		header := min(len(b), int(b[0]&15)*4)
		return netip.AddrFrom4([4]byte(b[12:16])), b[9], b[header:]
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:24])), b[6], b[40:]
	}
	return netip.Addr{}, 0, nil
}

// sources returns the global addresses of the interface of a provider.
func (p *provider) sources() []netip.Addr {
	dev, err := net.InterfaceByName(p.dev)
	if err != nil {
		return nil
	}
	addrs, err := dev.Addrs()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().IsGlobalUnicast() {
			all = append(all, prefix.Addr())
		}
	}
	return all
}

// floodInterval is the time from one packet of a source to the next.
const floodInterval = 40 * time.Millisecond

// flood sends packets from each address of each uplink to the Internet for ever. It does not
// matter whether anybody reads them.
func flood() {
	type sender struct {
		conn net.PacketConn
		to   net.Addr
	}
	senders := make(map[netip.Addr]sender)
	for n := 0; ; n++ {
		if n%5 == 0 {
			for _, p := range providers {
				for _, a := range p.sources() {
					if _, ok := senders[a]; ok {
						continue
					}
					conn, err := net.ListenPacket("udp", net.JoinHostPort(a.String(), "0"))
					if err != nil {
						continue // the address is not usable yet
					}
					to := internet[0]
					if a.Is6() {
						to = internet[1]
					}
					senders[a] = sender{conn, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, floodPort))}
				}
			}
		}
		for _, s := range senders {
			s.conn.WriteTo([]byte("flood"), s.to) // without a way it goes nowhere
		}
		time.Sleep(floodInterval)
	}
}

// A flow is a TCP connection from the Internet to the server on the host, in which a byte goes
// back and forth all the time.
type flow struct {
	p      *provider
	source netip.Addr // in the Internet
	rounds atomic.Int64
	broken atomic.Pointer[string]
}

// flowPort is the port of the server.
const flowPort = "5000"

var flows []*flow

// startFlows starts the server, and a connection for each provider and family.
func startFlows() error {
	l, err := net.Listen("tcp", ":"+flowPort)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	for _, p := range providers {
		for _, a := range internet {
			f := &flow{p: p, source: a}
			flows = append(flows, f)
			go f.run()
		}
	}
	return nil
}

// run connects as soon as the host has an address. Then it never connects again.
func (f *flow) run() {
	var c net.Conn
	for c == nil {
		time.Sleep(50 * time.Millisecond)
		for _, a := range f.p.sources() {
			if a.Is4() != f.source.Is4() {
				continue
			}
			f.p.do(func() (err error) {
				c, err = f.dial(a)
				return err
			})
			break
		}
	}
	b := make([]byte, 1)
	for {
		_, err := c.Write(b)
		if err == nil {
			_, err = io.ReadFull(c, b)
		}
		if err != nil {
			text := err.Error()
			f.broken.Store(&text)
			return
		}
		f.rounds.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
}

// dial connects to an address of the host. It is called in the namespace of the provider.
func (f *flow) dial(a netip.Addr) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: f.source.AsSlice()}, Timeout: 2 * time.Second}
	return d.Dial("tcp", net.JoinHostPort(a.String(), flowPort))
}
