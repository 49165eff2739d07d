package rtnl

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"
)

// The layout of struct nlmsghdr and struct nlmsgerr in linux/netlink.h.
const (
	headerLen    = 16
	msgAlign     = 4
	errnoLen     = 4
	attrErrMsg   = 1 // NLMSGERR_ATTR_MSG
	attrErrOffs  = 2 // NLMSGERR_ATTR_OFFS
	attrHdrLen   = 4
	attrTypeMask = 0x3fff
)

func aligned(n int) int { return (n + msgAlign - 1) &^ (msgAlign - 1) }

// appendMessage appends m with its length, sequence number and port, and with the
// padding for a message after it.
func appendMessage(b []byte, m netlink.Message, seq, pid uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, uint32(headerLen+len(m.Data)))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Type))
	b = binary.NativeEndian.AppendUint16(b, uint16(m.Header.Flags))
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, pid)
	b = append(b, m.Data...)
	for range aligned(len(m.Data)) - len(m.Data) {
		b = append(b, 0)
	}
	return b
}

// errDatagram reports bytes that are not messages, which the kernel never sends.
var errDatagram = errors.New("datagram is not a sequence of netlink messages")

// nextMessage splits b after its first message. The Data of the message is part of b.
func nextMessage(b []byte) (m netlink.Message, rest []byte, err error) {
	n, ok := messageLen(b)
	if !ok {
		return m, nil, errDatagram
	}
	return netlink.Message{Header: header(b), Data: b[headerLen:n:n]}, b[min(aligned(n), len(b)):], nil
}

// messageLen returns the length of the message at the start of b, or false if there is
// none. The compiler inlines it and header.
func messageLen(b []byte) (int, bool) {
	if len(b) < headerLen {
		return 0, false
	}
	n := int(binary.NativeEndian.Uint32(b))
	return n, n >= headerLen && n <= len(b)
}

// header reads the header of a complete message.
func header(b []byte) netlink.Header {
	return netlink.Header{
		Length:   binary.NativeEndian.Uint32(b),
		Type:     netlink.HeaderType(binary.NativeEndian.Uint16(b[4:])),
		Flags:    netlink.HeaderFlags(binary.NativeEndian.Uint16(b[6:])),
		Sequence: binary.NativeEndian.Uint32(b[8:]),
		PID:      binary.NativeEndian.Uint32(b[12:]),
	}
}

// verdict returns the error of an NLMSG_ERROR or NLMSG_DONE message: nil for success,
// or a *netlink.OpError with the error number and the kernel's own words.
func verdict(m netlink.Message) error {
	if len(m.Data) < errnoLen {
		if m.Header.Type == netlink.Done {
			return nil // a dump that ends without a status
		}
		return &netlink.OpError{Op: "receive", Err: io.ErrUnexpectedEOF, Sequence: m.Header.Sequence}
	}
	errno := -int32(binary.NativeEndian.Uint32(m.Data))
	if errno <= 0 {
		return nil
	}
	e := &netlink.OpError{Op: "receive", Err: syscall.Errno(errno), Sequence: m.Header.Sequence}
	if m.Header.Flags&netlink.AcknowledgeTLVs != 0 {
		e.Message, e.Offset = extendedAck(ackAttributes(m))
	}
	return e
}

// ackAttributes returns the attributes of the extended acknowledgement. In NLMSG_DONE
// they follow the error number. In NLMSG_ERROR they follow the request, or only its
// header if the message is capped.
func ackAttributes(m netlink.Message) []byte {
	b := m.Data[errnoLen:]
	if m.Header.Type == netlink.Done {
		return b
	}
	if len(b) < headerLen {
		return nil
	}
	n := headerLen
	if m.Header.Flags&netlink.Capped == 0 {
		n = int(binary.NativeEndian.Uint32(b))
	}
	if n < 0 || aligned(n) > len(b) {
		return nil
	}
	return b[aligned(n):]
}

// extendedAck reads the kernel's own words, and the offset in the request, including
// its header, of the attribute at fault. It is zero if the kernel gives none.
func extendedAck(b []byte) (msg string, offset int) {
	for len(b) >= attrHdrLen {
		n := int(binary.NativeEndian.Uint16(b))
		if n < attrHdrLen || n > len(b) {
			return msg, offset
		}
		p := b[attrHdrLen:n]
		switch binary.NativeEndian.Uint16(b[2:]) & attrTypeMask {
		case attrErrMsg:
			msg = strings.TrimRight(string(p), "\x00")
		case attrErrOffs:
			if len(p) >= 4 {
				offset = int(binary.NativeEndian.Uint32(p))
			}
		}
		b = b[min(aligned(n), len(b)):]
	}
	return msg, offset
}

// opError returns a failure of the socket as a *netlink.OpError, as refusals are.
func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &netlink.OpError{Op: op, Err: err}
}
