package health

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
)

// The layout of an echo request and its reply: type, code, checksum, identifier,
// sequence number, and data that the reply returns.
const (
	echoLen      = 8 + echoData
	echoData     = 16
	echoSequence = 6
)

// The types of messages, from RFC 792 and RFC 4443.
const (
	icmpEchoReply     = 0
	icmpEchoRequest   = 8
	icmpv6EchoRequest = 128
	icmpv6EchoReply   = 129
)

// errPingGroups explains why the kernel refuses a socket for echo requests.
var errPingGroups = fmt.Errorf(
	"%w: net.ipv4.ping_group_range has no group of this process", fs.ErrPermission)

// echo sends an echo request and waits for its reply. The kernel fills in the
// checksum, and an identifier whose replies only this socket receives.
func (d *dialer) echo(ctx context.Context, dst netip.Addr) error {
	c, err := d.openEcho(dst)
	if err != nil {
		return err
	}
	defer c.Close()
	defer limit(ctx, c)()
	request, reply := byte(icmpEchoRequest), byte(icmpEchoReply)
	if dst.Is6() {
		request, reply = icmpv6EchoRequest, icmpv6EchoReply
	}
	var sent, got [echoLen]byte
	sent[0] = request
	binary.BigEndian.PutUint16(sent[echoSequence:], 1)
	rand.Read(sent[echoLen-echoData:]) // it never fails
	if _, err := c.Write(sent[:]); err != nil {
		return innermost(err)
	}
	for {
		n, err := c.Read(got[:])
		if err != nil {
			return innermost(err)
		}
		if n == echoLen && got[0] == reply && bytes.Equal(got[echoSequence:], sent[echoSequence:]) {
			return nil
		}
	}
}

// innermost returns the error that err wraps at last: without the addresses of the
// socket, which say nothing here.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
