package attr

import "encoding/binary"

// nestedFlag is NLA_F_NESTED of linux/netlink.h, which says that the payload consists
// of attributes.
const nestedFlag = 0x8000

// Nested returns row with NLA_F_NESTED in the type that it writes. Messages that the
// kernel has always checked strictly must have the flag. Decoding ignores it.
func Nested[M any](row Row[M]) Row[M] {
	row.flag = nestedFlag
	return row
}

// AppendNested appends an attribute whose payload consists of attributes.
func AppendNested[A Number](b []byte, num A, payload []byte) []byte {
	return Append(b, uint16(num)|nestedFlag, payload)
}

// MarkNested sets NLA_F_NESTED on the attributes of b with the type typ.
func MarkNested[A Number](b []byte, typ A) {
	for {
		num, _, whole, rest, ok := next(b)
		if !ok {
			return
		}
		if num&TypeMask == uint16(typ) {
			binary.NativeEndian.PutUint16(whole[2:], num|nestedFlag)
		}
		b = rest
	}
}
