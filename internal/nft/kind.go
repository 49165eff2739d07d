package nft

import (
	"errors"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// always returns a row for an attribute that is written even if its value is zero.
func always[A attr.Number, M, V any](num A, kind func() attr.Kind[V], at func(*M) *V) attr.Row[M] {
	k := kind()
	return attr.Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			b, err := k.Append(b, *at(m))
			return b, true, err
		},
		func(p []byte, m *M) (err error) {
			*at(m), err = k.Decode(p)
			return err
		})
}

// text is the kind of a string, which is written with a NUL at its end.
func text[V ~string]() attr.Kind[V] {
	return attr.Kind[V]{
		Append: func(b []byte, v V) ([]byte, error) {
			if strings.IndexByte(string(v), 0) >= 0 {
				return nil, fmt.Errorf("%q contains a NUL", string(v))
			}
			return append(append(b, v...), 0), nil
		},
		Decode: func(p []byte) (V, error) {
			s, _, _ := strings.Cut(string(p), "\x00")
			return V(s), nil
		},
	}
}

// name is the kind of the name of a table, chain or set.
func name[V ~string]() attr.Kind[V] {
	k := text[V]()
	put := k.Append
	k.Append = func(b []byte, v V) ([]byte, error) {
		if len(v) >= uapi.NFT_NAME_MAXLEN {
			return nil, fmt.Errorf("name %q is longer than %d bytes", string(v), uapi.NFT_NAME_MAXLEN-1)
		}
		return put(b, v)
	}
	return k
}

// rawBytes is the kind of a payload that is kept as it is.
func rawBytes[V ~string]() attr.Kind[V] {
	return attr.Kind[V]{
		Append: func(b []byte, v V) ([]byte, error) { return append(b, v...), nil },
		Decode: func(p []byte) (V, error) { return V(p), nil },
	}
}

// value is the kind of NFTA_DATA_VALUE in an attribute.
func value() attr.Kind[string] {
	return attr.Kind[string]{
		Append: func(b []byte, v string) ([]byte, error) {
			if len(v) > uapi.NFT_DATA_VALUE_MAXLEN {
				return nil, fmt.Errorf("a value of %d bytes, of at most %d", len(v), uapi.NFT_DATA_VALUE_MAXLEN)
			}
			return attr.Append(b, uint16(uapi.NFTA_DATA_VALUE), []byte(v)), nil
		},
		Decode: func(p []byte) (string, error) {
			v, ok := attr.First(p, uapi.NFTA_DATA_VALUE)
			if !ok {
				return "", errNoValue
			}
			return string(v), nil
		},
	}
}

var errNoValue = errors.New("there is no value in it")

// appendBE32 appends an attribute that is a uint32 in network byte order.
func appendBE32[A attr.Number](b []byte, num A, v uint32) []byte {
	return attr.Append(b, uint16(num), []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// appendMember appends a member of a list.
func appendMember(b, member []byte) ([]byte, error) {
	return appendNumbered(b, uapi.NFTA_LIST_ELEM, member)
}

// appendNumbered appends a member of a list under a number, which the kernel does not look
// at in lists of elements.
func appendNumbered(b []byte, num listElem, member []byte) ([]byte, error) {
	if len(member) > attr.MaxPayload {
		return b, fmt.Errorf("%d bytes do not fit into an attribute", len(member))
	}
	return attr.AppendNested(b, num, member), nil
}

// listElem is the number of an attribute of a list.
type listElem uint16

// String returns the kernel's name.
func (listElem) String() string { return "NFTA_LIST_ELEM" }

// members yields the members of a list.
func members(p []byte, yield func([]byte) error) error {
	for num, member := range attr.All(p) {
		if num&attr.TypeMask != uapi.NFTA_LIST_ELEM {
			continue
		}
		if err := yield(member); err != nil {
			return err
		}
	}
	return nil
}
