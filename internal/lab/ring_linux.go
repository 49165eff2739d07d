package lab

import (
	"encoding/binary"
	"errors"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The size of a ring. A frame holds the header of the kernel, which has 80 bytes here, and
// the beginning of the packet. That is enough for an IPv6 header with extensions and a TCP
// header.
const (
	frameSize  = 256
	frameCount = 64 << 10
	blockSize  = 64 << 10 // a multiple of the page size on every architecture
)

// sockaddrOffset is the offset of the sockaddr_ll in a frame: after the header, aligned.
const sockaddrOffset = (unix.SizeofTpacket2Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)

// A ring is a packet socket for which the kernel writes packets into shared memory. A plain
// socket would lose packets of a flood, because the kernel does not give an ordinary user a
// large enough receive buffer, even in the user's own namespace.
type ring struct {
	fd   int
	mem  []byte
	next int // the frame that the kernel fills next
}

// openRing opens a ring for one interface of the calling thread's namespace.
func openRing(ifindex int) (_ *ring, err error) {
	// With protocol 0 the socket receives nothing before it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	r := &ring{fd: fd}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return nil, os.NewSyscallError("setsockopt PACKET_VERSION", err)
	}
	req := unix.TpacketReq{
		Block_size: blockSize,
		Block_nr:   frameCount * frameSize / blockSize,
		Frame_size: frameSize,
		Frame_nr:   frameCount,
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, os.NewSyscallError("setsockopt PACKET_RX_RING", err)
	}
	r.mem, err = unix.Mmap(fd, 0, frameCount*frameSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	addr := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: ifindex}
	if err := unix.Bind(fd, addr); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	return r, nil
}

// drain calls yield for every packet in the ring, and returns the frames to the kernel.
func (r *ring) drain(yield func(record)) {
	for {
		frame := r.mem[r.next*frameSize:][:frameSize:frameSize]
		h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&frame[0]))
		// Both sides write the status last: it passes the frame to the other side.
		if atomic.LoadUint32(&h.Status)&unix.TP_STATUS_USER == 0 {
			return
		}
		yield(frameRecord(h, frame))
		atomic.StoreUint32(&h.Status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + 1) % frameCount
	}
}

func frameRecord(h *unix.Tpacket2Hdr, frame []byte) record {
	from := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&frame[sockaddrOffset]))
	rec := record{
		nanos:  int64(h.Sec)*int64(time.Second) + int64(h.Nsec),
		length: h.Len,
		out:    from.Pkttype == unix.PACKET_OUTGOING,
	}
	end := min(int(h.Net)+int(h.Snaplen), len(frame))
	rec.decode(htons(from.Protocol), frame[min(int(h.Net), end):end])
	return rec
}

// drops returns the number of packets that found the ring full since the last call.
func (r *ring) drops() (uint64, error) {
	s, err := unix.GetsockoptTpacketStats(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt PACKET_STATISTICS", err)
	}
	return uint64(s.Drops), nil
}

// Close releases the memory and the socket.
func (r *ring) Close() error {
	var errs []error
	if r.mem != nil {
		errs = append(errs, os.NewSyscallError("munmap", unix.Munmap(r.mem)))
		r.mem = nil
	}
	return errors.Join(append(errs, closeFD(r.fd))...)
}

// htons converts v between the byte order of the machine and that of the network.
func htons(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
