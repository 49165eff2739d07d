package attr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A Number is the type of an attribute; its String is the kernel's name for it.
type Number interface {
	~uint16
	String() string
}

// A Row is one attribute of the messages that a Codec decodes into an M.
type Row[M any] struct {
	num  uint16
	flag uint16 // written with the type
	name func() string
	// put appends the payload and reports whether the attribute is set. Nil: the
	// attribute is never written.
	put func(b []byte, m *M) (_ []byte, set bool, _ error)
	get func(p []byte, m *M) error
	// isZero reports whether the field, of a payload of size bytes, is zero. keepZero
	// says that an attribute that makes it zero is kept as an unknown one.
	isZero   func(m *M) bool
	size     int
	keepZero bool

	// A section has only these fields: its rows, and a function that reports
	// whether any of them can be set.
	rows   []Row[M]
	anySet func(*M) bool
}

// Section returns a row that stands for rows that few messages have. They are
// written only if anySet returns true. It must return true if one of them is set.
func Section[M any](anySet func(*M) bool, rows ...Row[M]) Row[M] {
	return Row[M]{rows: rows, anySet: anySet}
}

// Field returns a row for an attribute that is unset if its value is zero. See also
// [KeepZero].
func Field[A Number, M any, V comparable](num A, kind func() Kind[V], at func(*M) *V) Row[M] {
	k := kind()
	put := func(b []byte, m *M) ([]byte, bool, error) {
		var zero V
		v := at(m)
		if *v == zero {
			return b, false, nil
		}
		b, err := k.Append(b, *v)
		return b, true, err
	}
	get := func(p []byte, m *M) (err error) {
		*at(m), err = k.Decode(p)
		return err
	}
	if k.size > 0 {
		get = func(p []byte, m *M) error {
			if len(p) < k.size {
				return lengthError{len(p), k.size}
			}
			*at(m) = k.get(p)
			return nil
		}
	}
	row := Func(num, put, get)
	row.size = k.size
	row.isZero = func(m *M) bool {
		var zero V
		return *at(m) == zero
	}
	return row
}

// KeepZero returns row, which is from [Field] and has a kind of fixed size, with one
// difference: a decoded attribute whose value is zero is kept among the unknown ones, and
// so written again. It is for attributes that messages can have with the value zero, but
// not where the kernel reports that for what is unset. See also [Zeros].
func KeepZero[M any](row Row[M]) Row[M] {
	row.keepZero = true
	return row
}

// A Setter holds a V that can be unset, so that a zero V differs from an unset
// one.
type Setter[V any] interface {
	Get() (V, bool)
	Set(V)
}

// OptField returns a row for an attribute whose zero value has a meaning.
func OptField[A Number, M, V any, P Setter[V]](num A, kind func() Kind[V], at func(*M) P) Row[M] {
	k := kind()
	return Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			v, set := at(m).Get()
			if !set {
				return b, false, nil
			}
			b, err := k.Append(b, v)
			return b, true, err
		},
		func(p []byte, m *M) error {
			v, err := k.Decode(p)
			if err == nil {
				at(m).Set(v)
			}
			return err
		})
}

// Func returns a row for an attribute that no kind describes. put appends the
// payload, without header and padding, and reports whether the attribute is set.
func Func[A Number, M any](num A,
	put func(b []byte, m *M) (_ []byte, set bool, _ error),
	get func(p []byte, m *M) error,
) Row[M] {
	return Row[M]{num: uint16(num), name: num.String, put: put, get: get}
}

// Part returns a row for a field of a P that M points to. The pointer is nil if no
// field of the P is set.
func Part[M, P any](at func(*M) **P, row Row[P]) Row[M] {
	return Row[M]{
		num: row.num, flag: row.flag, name: row.name, size: row.size, keepZero: row.keepZero,
		isZero: func(m *M) bool { return *at(m) == nil || row.isZero(*at(m)) },
		put: func(b []byte, m *M) ([]byte, bool, error) {
			part := *at(m)
			if part == nil {
				return b, false, nil
			}
			return row.put(b, part)
		},
		get: func(p []byte, m *M) error {
			part := at(m)
			if *part == nil {
				*part = new(P)
			}
			return row.get(p, *part)
		},
	}
}

// Drop returns a row for an attribute without a meaning, such as the padding that
// aligns the next one. It is neither kept nor written.
func Drop[M any, A Number](num A) Row[M] {
	return Row[M]{num: uint16(num), name: num.String, get: func([]byte, *M) error { return nil }}
}

// An Error reports an attribute that cannot be written or read.
type Error struct {
	Attr string // the kernel's name, such as FRA_TABLE
	Err  error
}

func (e *Error) Error() string { return e.Attr + ": " + e.Err.Error() }

// Unwrap returns what is wrong with the attribute.
func (e *Error) Unwrap() error { return e.Err }

// A Codec holds the rows of one kind of message. It is safe for concurrent use.
type Codec[M any] struct {
	rows  []Row[M]  // a section is followed by its rows
	byNum []*Row[M] // by attribute type; nil if there is no row

	unknown func(*M) string
	keep    func(m *M, num uint16, payload []byte) // adds to the unknown attributes
	drop    func(m *M, num uint16)                 // takes out of the unknown attributes
	zeroed  sync.Pool                              // of zero *M
	used    sync.Pool                              // of *M that can have any value
}

// NewCodec returns a codec of rows, which are written in this order. unknown says
// where attributes without a row are kept as they are in the message: header,
// payload, and padding of zeros.
func NewCodec[M any, U ~string](unknown func(*M) *U, rows ...Row[M]) *Codec[M] {
	c := new(Codec[M])
	for _, r := range rows {
		c.rows = append(append(c.rows, r), r.rows...)
	}
	c.unknown = func(m *M) string { return string(*unknown(m)) }
	c.keep = func(m *M, num uint16, payload []byte) {
		// The bytes are not copied as they are: the last attribute of a message
		// can lack its padding.
		*unknown(m) += U(Append(nil, num, payload))
	}
	c.drop = func(m *M, num uint16) {
		if u := unknown(m); *u != "" {
			*u = Without(*u, num)
		}
	}
	for i, r := range c.rows {
		if r.anySet != nil {
			continue
		}
		if n := int(r.num) + 1; n > len(c.byNum) {
			c.byNum = append(c.byNum, make([]*Row[M], n-len(c.byNum))...)
		}
		c.byNum[r.num] = &c.rows[i]
	}
	c.zeroed.New = func() any { return new(M) }
	c.used.New = c.zeroed.New
	return c
}

// Borrow returns a zero M, which the caller gives back with Return. An M that is
// passed to Append or Decode is on the heap, since rows are called through function
// values. Borrow saves an allocation for each message.
func (c *Codec[M]) Borrow() *M { return c.zeroed.Get().(*M) }

// Return gives back an M from Borrow.
func (c *Codec[M]) Return(m *M) {
	var zero M
	*m = zero
	c.zeroed.Put(m)
}

// BorrowUsed returns an M that need not be zero, for a caller that overwrites it. The
// caller gives it back with ReturnUsed.
func (c *Codec[M]) BorrowUsed() *M { return c.used.Get().(*M) }

// ReturnUsed gives back an M from BorrowUsed.
func (c *Codec[M]) ReturnUsed(m *M) { c.used.Put(m) }

// Name returns the kernel's name of an attribute that has a row, or "".
func (c *Codec[M]) Name(num uint16) string {
	if row := c.row(num); row != nil {
		return row.name()
	}
	return ""
}

func (c *Codec[M]) row(num uint16) *Row[M] {
	if int(num) < len(c.byNum) {
		return c.byNum[num]
	}
	return nil
}

// Append appends the attributes that are set in m, and then the unknown ones. If
// there is an error, an [*Error], it returns b unchanged.
func (c *Codec[M]) Append(b []byte, m *M) ([]byte, error) {
	start := len(b)
	for i := 0; i < len(c.rows); i++ {
		row := &c.rows[i]
		if row.put == nil { // a section, or an attribute that is never written
			if row.anySet != nil && !row.anySet(m) {
				i += len(row.rows)
			}
			continue
		}
		at := len(b)
		if cap(b)-at < headerLen {
			b = slices.Grow(b, 128) // a few attributes
		}
		// Leave room for the header, whose length is not known yet. Most
		// attributes are unset, and b does not change.
		out, set, err := row.put(b[:at+headerLen], m)
		if err != nil {
			return b[:start], &Error{row.name(), err}
		}
		if !set {
			continue
		}
		n := len(out) - at - headerLen
		if n > MaxPayload {
			return b[:start], &Error{row.name(), fmt.Errorf("%d bytes do not fit into an attribute", n)}
		}
		putHeader(out[at:], row.num|row.flag, n)
		b = pad(out, n)
	}
	return append(b, c.unknown(m)...), nil
}

// errTruncated reports a length that does not fit the bytes.
var errTruncated = errors.New("attribute is cut off or has no valid length")

// Decode reads the attributes of b into m, which should be zero. If an attribute
// comes twice, the last one counts, as in the kernel. An error is an [*Error], or
// says that b is not a sequence of attributes.
func (c *Codec[M]) Decode(b []byte, m *M) error {
	for len(b) > 0 {
		if len(b) < headerLen {
			return errTruncated
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < headerLen || n > len(b) {
			return errTruncated
		}
		num, payload := binary.NativeEndian.Uint16(b[2:]), b[headerLen:n:n]
		b = b[min(padded(n), len(b)):]
		row := c.row(num & TypeMask)
		if row == nil {
			c.keep(m, num, payload)
			continue
		}
		if err := row.get(payload, m); err != nil {
			return &Error{row.name(), err}
		}
		if row.keepZero {
			c.drop(m, row.num) // the last one counts
			if row.isZero(m) {
				c.keep(m, row.num, payload[:row.size])
			}
		}
	}
	return nil
}

// WithoutZeros returns unknown attributes without those that are kept since their value
// is zero. See [KeepZero].
func (c *Codec[M]) WithoutZeros(unknown string) string {
	for num := range All(unknown) {
		if row := c.row(num & TypeMask); row != nil && row.keepZero {
			unknown = Without(unknown, row.num)
		}
	}
	return unknown
}
