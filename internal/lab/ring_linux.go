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

// The size of a ring. A frame holds the kernel's header, 80 bytes here, and
// the beginning of the packet: enough for an IPv6 header with extensions and a
// TCP header behind it.
const (
	frameSize  = 256
	frameCount = 64 << 10
	blockSize  = 64 << 10 // a multiple of the page size on every architecture
)

// addressAt is where a frame has its sockaddr_ll: behind the header, aligned.
const addressAt = (unix.SizeofTpacket2Hdr + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)

// A ring is a packet socket whose packets the kernel writes into memory that
// it shares with us. It is exact where a plain socket is not: a receive buffer
// large enough for a flood is denied to an ordinary user, also in a namespace
// of his own.
type ring struct {
	fd   int
	mem  []byte
	next int // the frame that is filled next
}

// openRing opens a ring for one interface of the calling thread's namespace.
func openRing(ifindex int) (_ *ring, err error) {
	// Protocol 0: the socket sees nothing before it is bound.
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

// drain calls yield for every packet in the ring and gives its frame back.
func (r *ring) drain(yield func(record)) {
	for {
		frame := r.mem[r.next*frameSize:][:frameSize:frameSize]
		h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&frame[0]))
		// The status is written last, on both sides: it hands the frame over.
		if atomic.LoadUint32(&h.Status)&unix.TP_STATUS_USER == 0 {
			return
		}
		yield(frameRecord(h, frame))
		atomic.StoreUint32(&h.Status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + 1) % frameCount
	}
}

func frameRecord(h *unix.Tpacket2Hdr, frame []byte) record {
	from := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&frame[addressAt]))
	rec := record{
		nanos:  int64(h.Sec)*int64(time.Second) + int64(h.Nsec),
		length: h.Len,
		out:    from.Pkttype == unix.PACKET_OUTGOING,
	}
	end := min(int(h.Net)+int(h.Snaplen), len(frame))
	rec.decode(htons(from.Protocol), frame[min(int(h.Net), end):end])
	return rec
}

// drops returns how many packets found the ring full since it was last asked.
func (r *ring) drops() (uint64, error) {
	s, err := unix.GetsockoptTpacketStats(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, os.NewSyscallError("getsockopt PACKET_STATISTICS", err)
	}
	return uint64(s.Drops), nil
}

// Close gives the memory and the socket back.
func (r *ring) Close() error {
	var errs []error
	if r.mem != nil {
		errs = append(errs, os.NewSyscallError("munmap", unix.Munmap(r.mem)))
		r.mem = nil
	}
	return errors.Join(append(errs, closeFD(r.fd))...)
}

// htons swaps the bytes of v where the machine's order is not the network's,
// and back.
func htons(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}
