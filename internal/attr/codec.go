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

// A Row is one attribute of messages that are decoded into an M.
type Row[M any] struct {
	num  uint16
	flag uint16 // written with the type
	name func() string
	// put appends the payload of a set attribute and reports whether it is set.
	// Nil: it is never written.
	put func(b []byte, m *M) (_ []byte, set bool, _ error)
	get func(p []byte, m *M) error

	// Of a section, instead of all that: its rows, and whether any of them has
	// something to say.
	rows    []Row[M]
	present func(*M) bool
}

// Section is rows that few messages have. They are looked at for writing only
// if present says so, which it must wherever one of them is set.
func Section[M any](present func(*M) bool, rows ...Row[M]) Row[M] {
	return Row[M]{rows: rows, present: present}
}

// Field is a row whose zero value means that the attribute is absent.
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
	return Func(num, put, get)
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

// Part is a row of what at points at: nil where nothing of it is set.
func Part[M, P any](at func(*M) **P, row Row[P]) Row[M] {
	return Row[M]{
		num: row.num, flag: row.flag, name: row.name,
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

// Drop is a row for an attribute that means nothing, such as the padding that
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
	byNum []*Row[M] // nil where there is none
	kept  func(*M) string
	keep  func(m *M, num uint16, payload []byte)
	pool  sync.Pool // of *M that are zero
	used  sync.Pool // of *M that need not be
}

// NewCodec returns a codec of rows, of which the first is written first.
// unknown says where attributes without a row are kept, as they stand in the
// message: header, payload, and padding of zeros.
func NewCodec[M any, U ~string](unknown func(*M) *U, rows ...Row[M]) *Codec[M] {
	c := new(Codec[M])
	for _, r := range rows {
		c.rows = append(append(c.rows, r), r.rows...)
	}
	c.kept = func(m *M) string { return string(*unknown(m)) }
	c.keep = func(m *M, num uint16, payload []byte) {
		// Not the bytes themselves: the last attribute of a message may lack
		// its padding, and another may follow it here.
		*unknown(m) += U(Append(nil, num, payload))
	}
	for i, r := range c.rows {
		if r.present != nil {
			continue
		}
		if n := int(r.num) + 1; n > len(c.byNum) {
			c.byNum = append(c.byNum, make([]*Row[M], n-len(c.byNum))...)
		}
		c.byNum[r.num] = &c.rows[i]
	}
	c.pool.New = func() any { return new(M) }
	c.used.New = c.pool.New
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

// BorrowUsed is Borrow for a message that is overwritten anyway: it is not zero.
func (c *Codec[M]) BorrowUsed() *M { return c.used.Get().(*M) }

// ReturnUsed gives back what BorrowUsed gave out.
func (c *Codec[M]) ReturnUsed(m *M) { c.used.Put(m) }

// Name is the kernel's name of an attribute that has a row, or "".
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

// Append appends the attributes that are set in m, then those that were kept.
// On an error, an [*Error], it returns b as it was.
func (c *Codec[M]) Append(b []byte, m *M) ([]byte, error) {
	start := len(b)
	for i := 0; i < len(c.rows); i++ {
		row := &c.rows[i]
		if row.put == nil { // a section, or what is never written
			if row.present != nil && !row.present(m) {
				i += len(row.rows)
			}
			continue
		}
		at := len(b)
		if cap(b)-at < headerLen {
			b = slices.Grow(b, 128) // a few attributes
		}
		// The header's place is left open until the length is known. Most
		// rows have nothing to say, and then b is as it was.
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
	return append(b, c.kept(m)...), nil
}

// errTruncated reports a length that does not fit the bytes.
var errTruncated = errors.New("attribute is cut off or has no valid length")

// Decode reads the attributes of b into m, which the caller has made zero. Of
// an attribute that comes twice the last one counts, as in the kernel. An
// error is an [*Error], or says that b is no sequence of attributes.
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
	}
	return nil
}
