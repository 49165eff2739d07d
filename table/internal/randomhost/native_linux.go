package randomhost

import "encoding/binary"

func native(n uint32) (b [4]byte) {
	binary.NativeEndian.PutUint32(b[:], n)
	return b
}

func native16(n uint16) (b [2]byte) {
	binary.NativeEndian.PutUint16(b[:], n)
	return b
}
