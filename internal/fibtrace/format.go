package fibtrace

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// maxRecord is more than the offset and the size of any field.
const maxRecord = 1 << 20

// A field is the place of a field in the record of a tracepoint.
type field struct {
	offset, size int
	// dynamic: the four bytes at offset are the offset and the length of the value.
	dynamic bool
}

// A layout says where the record of a tracepoint has what. Kernels differ: see the file
// format of the tracepoint.
type layout struct {
	id     uint16
	family int
	fields map[string]field

	// The places of the fields that every event has, so that decode looks up no names.
	flags, pid, table, err, oif, iif, proto, tos, scope, flow, src, dst, sport, dport, dev, gw4, gw6, label, typ field
}

// commonType is the field at the start of every record that has the ID of the tracepoint.
const commonType = "common_type"

// parseFormat reads the file format of the tracepoint of a family.
func parseFormat(family int, text string) (*layout, error) {
	l := &layout{family: family, fields: map[string]field{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "ID:"):
			id, err := strconv.ParseUint(strings.TrimSpace(line[3:]), 10, 16)
			if err != nil {
				return nil, fmt.Errorf("format: %w", err)
			}
			l.id = uint16(id)
		case strings.HasPrefix(line, "field:"):
			name, f, err := parseField(line)
			if err != nil {
				return nil, fmt.Errorf("format: %q: %w", line, err)
			}
			l.fields[name] = f
		}
	}
	return l, l.find()
}

// parseField reads a line such as "field:u32 tb_id;	offset:8;	size:4;	signed:0;".
func parseField(line string) (name string, f field, err error) {
	for part := range strings.SplitSeq(line, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		switch key {
		case "field":
			declaration, _, _ := strings.Cut(value, "[")
			f.dynamic = strings.HasPrefix(value, "__data_loc ")
			if f.dynamic {
				declaration = value
			}
			name = declaration[strings.LastIndexAny(declaration, " \t*")+1:]
		case "offset":
			f.offset, err = strconv.Atoi(value)
		case "size":
			f.size, err = strconv.Atoi(value)
		}
		if err != nil {
			return name, f, err
		}
	}
	if name == "" || f.offset < 0 || f.size <= 0 || f.offset > maxRecord || f.size > maxRecord {
		return name, f, fmt.Errorf("not a field")
	}
	return name, f, nil
}

// A want is a field that a layout needs, and its size. A size of 0 is any.
type want struct {
	name     string
	place    *field
	size     int
	optional bool // older or newer kernels do not have it
}

// find fills in the places of the fields.
func (l *layout) find() error {
	wants := []want{
		{"common_flags", &l.flags, 1, false}, {"common_pid", &l.pid, 4, false},
		{"tb_id", &l.table, 4, false}, {"err", &l.err, 4, false}, {"oif", &l.oif, 4, false},
		{"iif", &l.iif, 4, false}, {"proto", &l.proto, 1, false}, {"tos", &l.tos, 1, false},
		{"scope", &l.scope, 1, false}, {"flags", &l.flow, 1, false},
		{"sport", &l.sport, 2, false}, {"dport", &l.dport, 2, false}, {"name", &l.dev, 0, false},
	}
	if l.family == 6 {
		wants = append(wants, want{"src", &l.src, 16, false}, want{"dst", &l.dst, 16, false}, want{"gw", &l.gw6, 16, false},
			want{"flowlabel", &l.label, 4, true}, want{"rt_type", &l.typ, 1, true})
	} else {
		wants = append(wants, want{"src", &l.src, 4, false}, want{"dst", &l.dst, 4, false}, want{"gw4", &l.gw4, 4, false},
			want{"gw6", &l.gw6, 16, false})
	}
	if f, ok := l.fields[commonType]; !ok || f.offset != 0 || f.size != 2 {
		return fmt.Errorf("format: no %s", commonType)
	}
	for _, w := range wants {
		f, ok := l.fields[w.name]
		switch {
		case !ok && w.optional:
			continue
		case !ok:
			return fmt.Errorf("format: no field %s", w.name)
		case w.size != 0 && f.size != w.size || f.dynamic && w.name != "name":
			return fmt.Errorf("format: field %s has %d bytes, not %d", w.name, f.size, w.size)
		}
		*w.place = f
	}
	return nil
}

// bytes returns the value of a field, or nothing if the record is too short or the kernel
// does not have the field.
func (f field) bytes(record []byte) []byte {
	if f.size == 0 || f.offset+f.size > len(record) {
		return nil
	}
	value := record[f.offset : f.offset+f.size]
	if !f.dynamic {
		return value
	}
	if len(value) != 4 {
		return nil
	}
	loc := binary.NativeEndian.Uint32(value)
	offset, size := int(loc&0xffff), int(loc>>16)
	if offset+size > len(record) {
		return nil
	}
	return record[offset : offset+size]
}

func (f field) u8(record []byte) uint8 {
	if b := f.bytes(record); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (f field) u16(record []byte) uint16 {
	if b := f.bytes(record); len(b) == 2 {
		return binary.NativeEndian.Uint16(b)
	}
	return 0
}

func (f field) u32(record []byte) uint32 {
	if b := f.bytes(record); len(b) == 4 {
		return binary.NativeEndian.Uint32(b)
	}
	return 0
}

func (f field) addr(record []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(f.bytes(record))
	return a
}

func (f field) text(record []byte) string {
	b := f.bytes(record)
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// inInterrupt are the bits of common_flags for a hard and for a soft interrupt:
// TRACE_FLAG_HARDIRQ and TRACE_FLAG_SOFTIRQ of linux/trace_events.h.
const inInterrupt = 0x08 | 0x10

// decode reads a record into e. It returns false if the record is not of the tracepoint, or
// too short.
func (l *layout) decode(record []byte, e *Event) bool {
	if len(record) < 2 || binary.NativeEndian.Uint16(record) != l.id {
		return false
	}
	src, dst := l.src.addr(record), l.dst.addr(record)
	if !src.IsValid() || !dst.IsValid() || l.dev.bytes(record) == nil {
		return false
	}
	e.Family = l.family
	e.PID, e.Interrupt = int(int32(l.pid.u32(record))), l.flags.u8(record)&inInterrupt != 0
	e.Table, e.OIF, e.IIF = l.table.u32(record), int32(l.oif.u32(record)), int32(l.iif.u32(record))
	e.Proto, e.TOS, e.Scope, e.Flags = l.proto.u8(record), l.tos.u8(record), l.scope.u8(record), l.flow.u8(record)
	e.FlowLabel, e.Src, e.Dst = l.label.u32(record), src, dst
	e.SPort, e.DPort = l.sport.u16(record), l.dport.u16(record)
	e.Err, e.Type = errno(int32(l.err.u32(record))), l.typ.u8(record)
	e.Dev, e.Gateway = l.dev.text(record), l.gateway(record)
	return true
}

// errno returns the error number for the kernel's negative number.
func errno(n int32) syscall.Errno {
	if n >= 0 {
		return syscall.Errno(n)
	}
	return syscall.Errno(-int64(n))
}

// gateway returns the gateway of the family that is set.
func (l *layout) gateway(record []byte) netip.Addr {
	for _, f := range []field{l.gw4, l.gw6} {
		if a := f.addr(record); a.IsValid() && !a.IsUnspecified() {
			return a
		}
	}
	return netip.Addr{}
}
