package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A file of save begins with one of these numbers in the byte order of the machine. After
// it come the messages of the dump as the kernel sent them, with their headers.
const (
	routeMagic = 0x45311224
	ruleMagic  = 0x71706986
)

// startSave writes the number at the beginning of a file.
func (p *program) startSave(magic uint32) error {
	if p.isTerminal(os.Stdout) {
		return failf(statusFailed, "Not sending a binary stream to stdout")
	}
	_, err := p.out.Write(binary.NativeEndian.AppendUint32(nil, magic))
	return err
}

// isTerminal reports whether a stream of the process is a character device other than the
// null device.
func (p *program) isTerminal(f *os.File) bool {
	if p.in != io.Reader(os.Stdin) {
		return false // a test, or a batch
	}
	return isCharDevice(f)
}

// isCharDevice reports whether a file is a character device other than the null device, such
// as a terminal.
func isCharDevice(f *os.File) bool {
	info, err := f.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && nullErr == nil && info.Mode()&os.ModeCharDevice != 0 && !os.SameFile(info, null)
}

// saveMessage writes a message.
func (p *program) saveMessage(m netlink.Message) error {
	b, err := m.MarshalBinary()
	if err == nil {
		_, err = p.out.Write(b)
	}
	return err
}

func (p *program) ruleSave(w *words) error {
	if w.more() {
		return failf(statusFailed, `"ip rule save" does not take any arguments.`)
	}
	if err := p.dial(); err != nil {
		return err
	}
	if err := p.startSave(ruleMagic); err != nil {
		return err
	}
	header := make([]byte, uapi.SizeofFibRuleHdr)
	header[uapi.FibRuleHdrFamily] = uint8(listFamily(p.family))
	for m, err := range rtnl.Dump(p.conn, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETRULE, Flags: netlink.Request | netlink.Dump},
		Data:   header,
	}) {
		if err != nil {
			return failf(statusUsage, "%s\nDump terminated", kernelText(err))
		}
		if err := p.saveMessage(m); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) routeSave(w *words) error {
	if err := p.startSave(routeMagic); err != nil {
		return err
	}
	f, err := p.readRouteFilter(w)
	if err != nil {
		return err
	}
	for d, err := range p.dumpRoutes(f) {
		if err != nil {
			return dumpError(err, "Dump terminated")
		}
		if err := p.saveMessage(d.msg); err != nil {
			return err
		}
	}
	return nil
}

// readSaved reads the messages of a file. With status 255, a fault of the file ends a batch.
func (p *program) readSaved(magic uint32, what string, status int) ([]netlink.Message, error) {
	fail := failf
	if status == statusUsage {
		fail = fatalf
	}
	if p.isTerminal(os.Stdin) {
		return nil, fail(status, "Can't restore %s dump from a terminal", what)
	}
	b, err := io.ReadAll(p.in)
	if err != nil {
		return nil, err
	}
	var first [4]byte
	n := copy(first[:], b)
	if got := binary.NativeEndian.Uint32(first[:]); n < 4 || got != magic {
		return nil, fail(status, "Magic mismatch (%d elems, %x magic)", n/4, got)
	}
	var msgs []netlink.Message
	for r := bytes.NewReader(b[4:]); r.Len() > 0; {
		m, err := readMessage(r)
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// readMessage reads one message with its header.
func readMessage(r *bytes.Reader) (m netlink.Message, err error) {
	const header = 16
	var size [4]byte
	start := r.Size() - int64(r.Len())
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return m, fatalf(statusUsage, "rtnl-from_file: truncated message")
	}
	n := binary.NativeEndian.Uint32(size[:])
	if n < header || n%4 != 0 {
		return m, fatalf(statusUsage, "!!!malformed message: len=%d @%d", n, start)
	}
	if int64(n)-4 > int64(r.Len()) {
		return m, fatalf(statusUsage, "rtnl-from_file: truncated message")
	}
	b := make([]byte, n)
	copy(b, size[:])
	if _, err = io.ReadFull(r, b[4:]); err == nil {
		err = m.UnmarshalBinary(b)
	}
	return m, err
}

// restore sends a message of a file. If the kernel says that it exists already, restore
// only warns. It does not say so of a rule, and has it twice then, as with ip(8).
func (p *program) restore(m netlink.Message) error {
	if err := p.dial(); err != nil {
		return err
	}
	m.Header.Flags |= netlink.Request | netlink.Create | netlink.Acknowledge
	m.Header.Length, m.Header.Sequence, m.Header.PID = 0, 0, 0
	_, err := p.conn.Execute(m)
	if errors.Is(err, fs.ErrExist) {
		p.warnf("%s", kernelText(err))
		return nil
	}
	return kernelFailure(err)
}

func (p *program) ruleRestore(*words) error {
	msgs, err := p.readSaved(ruleMagic, "rule", statusUsage)
	for _, m := range msgs {
		if err := p.restore(m); err != nil {
			return fatalf(statusUsage, "%v", err)
		}
	}
	return err
}

// routeRestore adds routes to local addresses first, then routes to networks on a link, and
// last routes by a gateway, which need the others.
func (p *program) routeRestore(*words) error {
	msgs, err := p.readSaved(routeMagic, "route", statusFailed)
	for stage := range 3 {
		for _, m := range msgs {
			if restoreStage(m) != stage {
				continue
			}
			if err := p.restore(m); err != nil {
				return err
			}
		}
	}
	return err
}

func restoreStage(m netlink.Message) int {
	var r route.Route
	switch err := r.UnmarshalBinary(m.Data); {
	case err != nil: // the kernel reports the fault
		return 0
	case r.Family.Has(r.Gateway):
		return 2
	case r.PrefSrc.IsValid() && r.PrefSrc != r.Dst.Addr():
		return 1
	}
	return 0
}

// routeShowDump prints the routes of a file.
func (p *program) routeShowDump(*words) error {
	msgs, err := p.readSaved(routeMagic, "route", statusFailed)
	if err != nil {
		return err
	}
	var routes []route.Route
	for _, m := range msgs {
		var r route.Route
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return err
		}
		routes = append(routes, r)
	}
	return p.showRoutes(routes, 0)
}
