package nft

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Milliseconds is a time as nf_tables has it.
type Milliseconds uint64

// MillisecondsOf returns d in milliseconds, and at least one if d is positive.
func MillisecondsOf(d time.Duration) Milliseconds {
	if d <= 0 {
		return 0
	}
	return Milliseconds(max(d.Milliseconds(), 1))
}

// Byte returns the value of one byte, such as a protocol.
func Byte(n uint8) string { return string([]byte{n}) }

// Host32 returns the value of a number in host byte order: a mark, the index of an
// interface, a state, the type of an address.
func Host32(n uint32) string { return string(binary.NativeEndian.AppendUint32(nil, n)) }

// Host16 returns the value of a number in host byte order: a zone of connection tracking.
func Host16(n uint16) string { return string(binary.NativeEndian.AppendUint16(nil, n)) }

// Big16 returns the value of a number in network byte order: a port, an EtherType.
func Big16(n uint16) string { return string(binary.BigEndian.AppendUint16(nil, n)) }

// Addr returns the value of an address.
func Addr(a netip.Addr) string { return string(a.AsSlice()) }

// ifNameSize is IFNAMSIZ of linux/if.h.
const ifNameSize = 16

// IfName returns the value of the name of an interface, which is 16 bytes long.
func IfName(name string) string {
	b := make([]byte, ifNameSize)
	copy(b[:ifNameSize-1], name)
	return string(b)
}

// IfPrefix returns the value of the beginning of names of interfaces, as "eth*" of
// nft(8) compares it: without the bytes after it.
func IfPrefix(prefix string) string { return prefix }

// Key joins values to a key of a set. Each takes a whole number of registers of 4 bytes.
func Key(values ...string) string {
	var b []byte
	for _, v := range values {
		b = append(b, v...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	if len(values) == 1 {
		b = b[:len(values[0])]
	}
	return string(b)
}
