package main

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// maxConnections is how many connections are read at most.
const maxConnections = 200_000

// Of linux/inet_diag.h.
const (
	sockDiagByFamily   = 20
	diagRequestSize    = 56
	diagMessageSize    = 72
	diagSourceAt       = 8 // the local address, in struct inet_diag_msg
	tcpEstablishedMask = 1 << 1
)

// countConnections sets the number of established TCP connections of the entries: those from
// an address of the entry, in the network namespace with a path. It reads for a limited time.
func countConnections(netns string, entries []*entry, patience time.Duration) error {
	config := new(netlink.Config)
	if netns != "" {
		f, err := openNetns(netns)
		if err != nil {
			return err
		}
		defer f.Close()
		config.NetNS = int(f.Fd())
	}
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	d := newTally(entries)
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := d.dump(conn, family); err != nil {
			return err
		}
	}
	d.set(entries)
	return nil
}

// A connectionTally counts connections by their local address.
type connectionTally struct {
	addresses map[netip.Addr][]int // indexes of entries
	prefixes  map[int][]netip.Prefix
	counts    []int
	read      int
	more      bool // not all connections were read
}

func newTally(entries []*entry) *connectionTally {
	d := &connectionTally{make(map[netip.Addr][]int), make(map[int][]netip.Prefix), make([]int, len(entries)), 0, false}
	for i, e := range entries {
		for _, s := range e.Sources {
			if p, err := netip.ParsePrefix(s); err == nil {
				d.prefixes[i] = append(d.prefixes[i], p)
			} else if a, err := netip.ParseAddr(s); err == nil {
				d.addresses[a] = append(d.addresses[a], i)
			}
		}
	}
	return d
}

// set puts the counts into the entries.
func (d *connectionTally) set(entries []*entry) {
	for i, e := range entries {
		if len(e.Sources) > 0 {
			e.Connections, e.MoreConnections = &d.counts[i], d.more
		}
	}
}

// count counts a connection.
func (d *connectionTally) count(a netip.Addr) {
	for _, i := range d.addresses[a] {
		d.counts[i]++
	}
	for i, all := range d.prefixes {
		for _, p := range all {
			if p.Contains(a) {
				d.counts[i]++
				break
			}
		}
	}
}

// dump counts the connections of a family. At the limits it stops, and the rest is not read.
func (d *connectionTally) dump(conn *netlink.Conn, family byte) error {
	request := make([]byte, diagRequestSize)
	request[0], request[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(request[4:], tcpEstablishedMask)
	if d.more {
		return nil
	}
	if _, err := conn.Send(netlink.Message{
		Header: netlink.Header{Type: sockDiagByFamily, Flags: netlink.Request | netlink.Dump}, Data: request,
	}); err != nil {
		return err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for done := false; !done; {
		var n int
		var failure error
		err := raw.Read(func(fd uintptr) bool {
			n, _, failure = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			return failure != unix.EAGAIN && failure != unix.EINTR
		})
		switch {
		case os.IsTimeout(err):
			d.more = true
			return nil
		case err != nil:
			return err
		case failure != nil:
			return os.NewSyscallError("recvfrom", failure)
		}
		if done, err = d.readMessages(buf[:n]); err != nil {
			return err
		}
		if d.read >= maxConnections {
			d.more, done = true, true
		}
	}
	return nil
}

// readMessages counts the connections of some messages. It returns true at the end of the
// dump.
func (d *connectionTally) readMessages(b []byte) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return true, unix.EBADMSG
		}
		data := b[unix.NLMSG_HDRLEN:size]
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(data) < 4 {
				return true, unix.EBADMSG
			}
			return true, syscall.Errno(-int32(binary.NativeEndian.Uint32(data)))
		case sockDiagByFamily:
			d.readConnection(data)
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return false, nil
}

// readConnection counts the connection of a message.
func (d *connectionTally) readConnection(data []byte) {
	if len(data) < diagMessageSize {
		return
	}
	d.read++
	source := data[diagSourceAt : diagSourceAt+16]
	if data[0] == unix.AF_INET {
		source = source[:4]
	}
	if a, ok := netip.AddrFromSlice(source); ok {
		d.count(a.Unmap()) // a socket of IPv6 can have a connection of IPv4
	}
}
