package capture

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// snapshotLength is how much of a packet is read: the headers.
	snapshotLength = 256
	// receiveBuffer is how many bytes of packets the kernel keeps until they are read, if the
	// limit of the host permits it.
	receiveBuffer = 4 << 20
	// maxInterfaces is how many interfaces the filter in the kernel can tell. With more, Read
	// returns the packets of all.
	maxInterfaces = 1000
	// maxSources is how many instructions of the filter can be for sources. If more are
	// needed, Read returns what leaves from all sources.
	maxSources = 2000
)

// A Reader reads packets. Its methods can be used at the same time.
type Reader struct {
	file *os.File
	raw  interface {
		Read(func(fd uintptr) bool) error
		Control(func(fd uintptr)) error
	}
}

// Open opens a socket in the network namespace of the calling thread, for the packets that
// Select describes. The error is fs.ErrPermission without CAP_NET_RAW.
func Open(interfaces []uint32, sources []netip.Prefix) (*Reader, error) {
	// With protocol 0 the socket receives nothing before it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket AF_PACKET", err)
	}
	r := &Reader{file: os.NewFile(uintptr(fd), "packets")}
	if r.raw, err = r.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	if err := r.start(fd, interfaces, sources); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

// start sets the socket up, and then binds it.
func (r *Reader) start(fd int, interfaces []uint32, sources []netip.Prefix) error {
	// Kernels before 5.19 have no marks, and the buffer has a limit.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVMARK, 1)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err := r.Select(interfaces, sources); err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL)}))
}

// networkOrder returns the number whose bytes are those of v in the order of the network.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// Select sets which packets are read: all that pass the interfaces, and those with a source
// in sources that leave by any other interface except lo. With very many interfaces or
// sources, Read returns other packets, too.
func (r *Reader) Select(interfaces []uint32, sources []netip.Prefix) error {
	program := filter(interfaces, sources)
	var err error
	if e := r.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
			Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0])),
		})
	}); e != nil {
		return e
	}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
}

// SetReadDeadline makes Read fail with os.ErrDeadlineExceeded after a time.
func (r *Reader) SetReadDeadline(t time.Time) error { return r.file.SetReadDeadline(t) }

// Read waits for a packet.
func (r *Reader) Read() (Packet, error) {
	var b [snapshotLength]byte
	var oob [64]byte
	for {
		var n, oobn int
		var from unix.Sockaddr
		var err error
		e := r.raw.Read(func(fd uintptr) bool {
			// With MSG_TRUNC, n is the length of the whole packet.
			n, oobn, _, from, err = unix.Recvmsg(int(fd), b[:], oob[:], unix.MSG_TRUNC)
			return err != unix.EAGAIN && err != unix.EINTR
		})
		switch {
		case e != nil:
			return Packet{}, e
		case err == unix.ENETDOWN: // an interface has gone down, and others are still there
			continue
		case err != nil:
			return Packet{}, os.NewSyscallError("recvmsg", err)
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		p := Packet{Time: time.Now(), Length: n, Mark: markOf(oob[:oobn])}
		if ok && p.decode(b[:min(n, len(b))]) {
			p.IfIndex, p.Out = uint32(link.Ifindex), link.Pkttype == unix.PACKET_OUTGOING
			return p, nil
		}
	}
}

// markOf returns the mark of a control message.
func markOf(oob []byte) uint32 {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_MARK && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data)
		}
	}
	return 0
}

// Lost returns how many packets the kernel has dropped since the last call, because nobody
// read them in time.
func (r *Reader) Lost() (lost uint64, err error) {
	if e := r.raw.Control(func(fd uintptr) {
		var s *unix.TpacketStats
		if s, err = unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			lost = uint64(s.Drops)
		}
	}); e != nil {
		return 0, e
	}
	return lost, os.NewSyscallError("getsockopt PACKET_STATISTICS", err)
}

// Close closes the socket.
func (r *Reader) Close() error { return r.file.Close() }
