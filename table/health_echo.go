package table

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
)

// An echo request and its answer: type, code, checksum, identifier, sequence
// number, and data that come back.
const (
	echoLen      = 8 + echoData
	echoData     = 16
	echoSequence = 6
)

// Types of messages, of RFC 792 and RFC 4443.
const (
	icmpEchoReply     = 0
	icmpEchoRequest   = 8
	icmpv6EchoRequest = 128
	icmpv6EchoReply   = 129
)

// echo sends an echo request, and waits for the answer to it. The kernel fills in
// the checksum, and an identifier that only this socket gets answers to.
func (s *probeSocket) echo(ctx context.Context, dst netip.Addr) error {
	conn, err := s.openEcho(dst)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer until(ctx, conn)()
	request, reply := byte(icmpEchoRequest), byte(icmpEchoReply)
	if dst.Is6() {
		request, reply = icmpv6EchoRequest, icmpv6EchoReply
	}
	var sent, got [echoLen]byte
	sent[0] = request
	binary.BigEndian.PutUint16(sent[echoSequence:], 1)
	rand.Read(sent[echoLen-echoData:]) // it never fails
	if _, err := conn.Write(sent[:]); err != nil {
		return plain(err)
	}
	for {
		n, err := conn.Read(got[:])
		if err != nil {
			return plain(err)
		}
		if n == echoLen && got[0] == reply && bytes.Equal(got[echoSequence:], sent[echoSequence:]) {
			return nil
		}
	}
}

// plain is an error without the address of a socket that says nothing.
func plain(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
