package attr

import (
	"errors"
	"fmt"
	"sync"
)

// A Number is the type of an attribute; its String is the kernel's name for it.
type Number interface {
	~uint16
	String() string
}

// A Row is one attribute of messages that are decoded into an M.
type Row[M any] struct {
	num  uint16
	flag uint16 // written with the type
	name func() string
	// put appends the payload of a set attribute and reports whether it is set.
	put func(b []byte, m *M) (_ []byte, set bool, _ error)
	get func(p []byte, m *M) error
}

// Field is a row whose zero value means that the attribute is absent.
func Field[A Number, M any, V comparable](num A, kind func() Kind[V], at func(*M) *V) Row[M] {
	k := kind()
	return Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			var zero V
			v := at(m)
			if *v == zero {
				return b, false, nil
			}
			b, err := k.Append(b, *v)
			return b, true, err
		},
		func(p []byte, m *M) (err error) {
			*at(m), err = k.Decode(p)
			return err
		})
}

// A Setter holds a V or nothing, so that a zero V can be told from an absent
// one.
type Setter[V any] interface {
	Get() (V, bool)
	Set(V)
}

// OptField is a row for an attribute whose zero has a meaning.
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

// Func is a row for an attribute that no kind describes. put appends the
// payload, without header and padding, and reports whether there is one.
func Func[A Number, M any](num A,
	put func(b []byte, m *M) (_ []byte, set bool, _ error),
	get func(p []byte, m *M) error,
) Row[M] {
	return Row[M]{num: uint16(num), name: num.String, put: put, get: get}
}

// Drop is a row for an attribute that means nothing, such as the padding that
// aligns the next one. It is neither kept nor written.
func Drop[M any, A Number](num A) Row[M] {
	return Func(num,
		func(b []byte, _ *M) ([]byte, bool, error) { return b, false, nil },
		func([]byte, *M) error { return nil })
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
	rows  []Row[M]
	index []uint16 // by attribute number: 1 + the index in rows, 0 for none
	kept  func(*M) string
	keep  func(m *M, num uint16, payload []byte)
	pool  sync.Pool // of *M
}

// NewCodec returns a codec of rows, of which the first is written first.
// unknown says where attributes without a row are kept, as they stand in the
// message: header, payload, and padding of zeros.
func NewCodec[M any, U ~string](unknown func(*M) *U, rows ...Row[M]) *Codec[M] {
	c := &Codec[M]{rows: rows}
	c.kept = func(m *M) string { return string(*unknown(m)) }
	c.keep = func(m *M, num uint16, payload []byte) {
		// Not the bytes themselves: the last attribute of a message may lack
		// its padding, and another may follow it here.
		*unknown(m) += U(Append(nil, num, payload))
	}
	for i, r := range c.rows {
		if n := int(r.num) + 1; n > len(c.index) {
			c.index = append(c.index, make([]uint16, n-len(c.index))...)
		}
		c.index[r.num] = uint16(i + 1)
	}
	c.pool.New = func() any { return new(M) }
	return c
}

// Borrow returns a zero M for the time until Return. Rows are called through
// function values, so that an M handed to Append or Decode is on the heap:
// borrowing one avoids an allocation a message.
func (c *Codec[M]) Borrow() *M { return c.pool.Get().(*M) }

// Return gives back what Borrow gave out.
func (c *Codec[M]) Return(m *M) {
	var zero M
	*m = zero
	c.pool.Put(m)
}

// Name is the kernel's name of an attribute that has a row, or "".
func (c *Codec[M]) Name(num uint16) string {
	if row := c.row(num); row != nil {
		return row.name()
	}
	return ""
}

func (c *Codec[M]) row(num uint16) *Row[M] {
	if int(num) >= len(c.index) || c.index[num] == 0 {
		return nil
	}
	return &c.rows[c.index[num]-1]
}

// Append appends the attributes that are set in m, then those that were kept.
// On an error, an [*Error], it returns b as it was.
func (c *Codec[M]) Append(b []byte, m *M) ([]byte, error) {
	start := len(b)
	for i := range c.rows {
		row := &c.rows[i]
		at := len(b)
		// The header is written first and given its length afterwards.
		out, set, err := row.put(appendHeader(b, row.num, 0), m)
		switch n := len(out) - at - headerLen; {
		case err != nil:
			return b[:start], &Error{row.name(), err}
		case !set:
			// out may be a longer view of the same array; b is not.
		case n > MaxPayload:
			return b[:start], &Error{row.name(), fmt.Errorf("%d bytes do not fit into an attribute", n)}
		default:
			appendHeader(out[:at], row.num|row.flag, n)
			b = pad(out, n)
		}
	}
	return append(b, c.kept(m)...), nil
}

// errTruncated reports a length that does not fit the bytes.
var errTruncated = errors.New("attribute is cut off or has no valid length")

// Decode reads the attributes of b into m, which the caller has made zero. Of
// an attribute that comes twice the last one counts, as in the kernel. An
// error is an [*Error], or says that b is no sequence of attributes.
func (c *Codec[M]) Decode(b []byte, m *M) error {
	for len(b) > 0 {
		num, payload, _, rest, ok := next(b)
		if !ok {
			return errTruncated
		}
		b = rest
		row := c.row(num & typeMask)
		if row == nil {
			c.keep(m, num, payload)
			continue
		}
		if err := row.get(payload, m); err != nil {
			return &Error{row.name(), err}
		}
	}
	return nil
}
