package attr

// Zeros are attributes, by type, that text has a word for, and the sizes of their
// payloads. Such an attribute with the value zero, which [KeepZero] keeps among the
// unknown ones, is text by its word.
type Zeros[A Number] map[A]int

// Has reports whether unknown attributes include one of z with the value zero.
func (z Zeros[A]) Has(unknown string, num A) bool {
	p, ok := First(unknown, num)
	return ok && z.are(uint16(num), p)
}

// are reports whether a payload is the zero of an attribute of z.
func (z Zeros[A]) are(num uint16, payload []byte) bool {
	size, ok := z[A(num)]
	return ok && string(payload) == string(make([]byte, size))
}

// With returns unknown attributes with the zero of an attribute of z, or without it.
func (z Zeros[A]) With(unknown string, num A, zero bool) string {
	unknown = Without(unknown, num)
	if zero {
		unknown += string(Append(nil, uint16(num), make([]byte, z[num])))
	}
	return unknown
}

// Rest returns unknown attributes without the zeros of z.
func (z Zeros[A]) Rest(unknown string) string {
	var rest []byte
	for num, payload := range All(unknown) {
		if !z.are(num, payload) {
			rest = Append(rest, num, payload)
		}
	}
	return string(rest)
}
