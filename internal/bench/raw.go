package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// headerLen is the size of struct nlmsghdr.
const headerLen = 16

// perSend is the number of messages in a datagram of the raw limit.
const perSend = 256

// A rawSocket is the raw limit: a socket, a buffer, and loops that do the minimum work the
// kernel requires. They read only the headers of replies, and their requests are prepared
// before the measurement.
type rawSocket struct {
	fd    int
	buf   [64 << 10]byte
	calls int // system calls so far
}

func newRaw(ns *lab.NS) (*rawSocket, error) {
	r := new(rawSocket)
	err := ns.Do(func() (err error) {
		r.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		return errors.Join(unix.Connect(r.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
			unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1),
			unix.SetsockoptInt(r.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1))
	})
	return r, err
}

func (r *rawSocket) Close() error { return unix.Close(r.fd) }

func (r *rawSocket) send(b []byte) error {
	r.calls++
	_, err := unix.Write(r.fd, b)
	return err
}

func (r *rawSocket) recv() ([]byte, error) {
	r.calls++
	n, err := unix.Read(r.fd, r.buf[:])
	if err != nil {
		return nil, err
	}
	return r.buf[:n], nil
}

// walk sends a datagram of requests, and reads the replies up to the end of a dump or an
// acknowledgement. It returns the number of messages with data.
func (r *rawSocket) walk(request []byte) (n int, err error) {
	if err := r.send(request); err != nil {
		return 0, err
	}
	for {
		b, err := r.recv()
		if err != nil {
			return n, err
		}
		for len(b) >= headerLen {
			length := int(binary.NativeEndian.Uint32(b))
			switch binary.NativeEndian.Uint16(b[4:]) {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				if errno := -int32(binary.NativeEndian.Uint32(b[headerLen:])); errno != 0 {
					return n, syscall.Errno(errno)
				}
				return n, nil
			}
			n++
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}

// each is like walk, and calls fn for each payload. It is used only to prepare rows.
func (r *rawSocket) each(request []byte, fn func(payload []byte)) error {
	if err := r.send(request); err != nil {
		return err
	}
	for {
		b, err := r.recv()
		if err != nil {
			return err
		}
		for len(b) >= headerLen {
			length := int(binary.NativeEndian.Uint32(b))
			switch binary.NativeEndian.Uint16(b[4:]) {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				if errno := -int32(binary.NativeEndian.Uint32(b[headerLen:])); errno != 0 {
					return syscall.Errno(errno)
				}
				return nil
			}
			fn(b[headerLen:length])
			b = b[min((length+3)&^3, len(b)):]
		}
	}
}

// write sends prepared datagrams. The last request of each datagram is acknowledged.
func (r *rawSocket) write(datagrams [][]byte) error {
	for i, d := range datagrams {
		if _, err := r.walk(d); err != nil {
			return fmt.Errorf("datagram %d: %w", i, err)
		}
	}
	return nil
}

// ask sends a request that has a single reply and no acknowledgement.
func (r *rawSocket) ask(request []byte) error {
	if err := r.send(request); err != nil {
		return err
	}
	b, err := r.recv()
	if err == nil && binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
		return syscall.Errno(-int32(binary.NativeEndian.Uint32(b[headerLen:])))
	}
	return err
}

// prepare returns datagrams with up to most requests each. The last request of each datagram is
// acknowledged.
func prepare(typ, flags uint16, most int, payloads [][]byte) (datagrams [][]byte) {
	for len(payloads) > 0 {
		n := min(most, len(payloads))
		var d []byte
		for i, p := range payloads[:n] {
			f := flags | unix.NLM_F_REQUEST
			if i == n-1 && typ != unix.RTM_GETROUTE {
				f |= unix.NLM_F_ACK
			}
			d = binary.NativeEndian.AppendUint32(d, uint32(headerLen+len(p)))
			d = binary.NativeEndian.AppendUint16(d, typ)
			d = binary.NativeEndian.AppendUint16(d, f)
			d = append(d, make([]byte, 8)...) // sequence number and port
			d = append(d, p...)
			for len(d)%4 != 0 {
				d = append(d, 0)
			}
		}
		datagrams = append(datagrams, d)
		payloads = payloads[n:]
	}
	return datagrams
}
