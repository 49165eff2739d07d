package route

import (
	"encoding/binary"
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// encapParts are the two attributes of an encapsulation. Either can be first in
// a message.
type encapParts struct {
	typ              EncapType
	data             []byte
	hasType, hasData bool
}

// encapRow returns the row of RTA_ENCAP.
func encapRow[M any](at func(*M) (*Encap, *encapParts)) attr.Row[M] {
	return attr.Nested(attr.Func(uapi.RTA_ENCAP,
		func(b []byte, m *M) ([]byte, bool, error) {
			e, _ := at(m)
			if *e == nil {
				return b, false, nil
			}
			b, err := appendEncap(b, *e)
			return b, true, err
		},
		func(p []byte, m *M) error {
			_, parts := at(m)
			parts.data, parts.hasData = p, true
			return nil
		}))
}

// encapTypeRow returns the row of RTA_ENCAP_TYPE.
func encapTypeRow[M any](at func(*M) (*Encap, *encapParts)) attr.Row[M] {
	u16 := attr.U16[EncapType]()
	return attr.Func(uapi.RTA_ENCAP_TYPE,
		func(b []byte, m *M) ([]byte, bool, error) {
			e, _ := at(m)
			if *e == nil {
				return b, false, nil
			}
			b, err := u16.Append(b, (*e).Type())
			return b, true, err
		},
		func(p []byte, m *M) (err error) {
			_, parts := at(m)
			parts.typ, err = u16.Decode(p)
			parts.hasType = true
			return err
		})
}

// appendEncap appends the payload of RTA_ENCAP.
func appendEncap(b []byte, e Encap) ([]byte, error) {
	if !isEncap(e) {
		return b, fmt.Errorf("%T is not a kind of encapsulation", e)
	}
	return e.append(b)
}

// finish sets e to the encapsulation that the attributes make. If there is only
// one of them, the other is that of the present e. Without e, it is kept among
// the unknown attributes.
func (parts *encapParts) finish(e *Encap, unknown *Attributes) error {
	if !parts.hasData && !parts.hasType {
		return nil
	}
	if *e != nil && !parts.hasType {
		parts.typ, parts.hasType = (*e).Type(), true
	}
	if *e != nil && !parts.hasData {
		var err error
		if parts.data, err = appendEncap(nil, *e); err != nil {
			return err
		}
		parts.hasData = true
	}
	switch {
	case !parts.hasData:
		keepUnknown(unknown, uapi.RTA_ENCAP_TYPE, binary.NativeEndian.AppendUint16(nil, uint16(parts.typ)))
	case !parts.hasType:
		keepUnknown(unknown, uapi.RTA_ENCAP, parts.data)
	default:
		got, err := decodeEncap(parts.typ, parts.data)
		if err != nil {
			return &attr.Error{Attr: uapi.RTA_ENCAP.String(), Err: err}
		}
		*e = got
	}
	*parts = encapParts{}
	return nil
}
