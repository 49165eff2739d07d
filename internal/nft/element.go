package nft

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Element is an element of a set, or a key and its data in a map. Elements can be
// compared with ==.
type Element struct {
	Key    string
	KeyEnd string // the last key of a range of concatenations
	// Data is what a map has for the key, unless that is a Verdict.
	Data    string
	Verdict Verdict
	Flags   uint32 // NFT_SET_ELEM_*: the end of a range comes as an element of its own
	Timeout Milliseconds
	Comment string
	// UserData is what nft(8) keeps beside the comment.
	UserData UserData

	Expiration Milliseconds // the rest of Timeout
	Unknown    string       // the attributes without a field, with headers
}

// IntervalEnd is the flag of an element that is the first key after a range.
const IntervalEnd uint32 = uapi.NFT_SET_ELEM_INTERVAL_END

// Between returns the elements of a set of ranges that stand for the values from first to
// last, which have the same number of bytes.
func Between(first, last string) []Element {
	from := Element{Key: first}
	end := []byte(last)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return []Element{from, {Key: string(end), Flags: IntervalEnd}}
		}
	}
	return []Element{from} // up to the greatest value
}

var elementCodec = attr.NewCodec(func(e *Element) *string { return &e.Unknown },
	attr.Field(uapi.NFTA_SET_ELEM_FLAGS, attr.BE32[uint32], func(e *Element) *uint32 { return &e.Flags }),
	attr.Field(uapi.NFTA_SET_ELEM_TIMEOUT, attr.BE64[Milliseconds], func(e *Element) *Milliseconds { return &e.Timeout }),
	attr.Field(uapi.NFTA_SET_ELEM_EXPIRATION, attr.BE64[Milliseconds], func(e *Element) *Milliseconds { return &e.Expiration }),
	attr.Nested(attr.Field(uapi.NFTA_SET_ELEM_KEY, value, func(e *Element) *string { return &e.Key })),
	attr.Nested(attr.Field(uapi.NFTA_SET_ELEM_KEY_END, value, func(e *Element) *string { return &e.KeyEnd })),
	attr.Nested(attr.Func(uapi.NFTA_SET_ELEM_DATA,
		func(b []byte, e *Element) ([]byte, bool, error) {
			b, err := appendData(b, &e.Verdict, e.Data)
			return b, e.Verdict.Valid || e.Data != "", err
		},
		func(p []byte, e *Element) error { return decodeData(p, &e.Verdict, &e.Data) })),
	userDataRow(uapi.NFTA_SET_ELEM_USERDATA, udataComment,
		func(e *Element) *UserData { return &e.UserData }, func(e *Element) *string { return &e.Comment }),
	attr.Drop[Element](uapi.NFTA_SET_ELEM_PAD),
)

// An elementList is a message of elements.
type elementList struct {
	table    string
	set      string
	setID    uint32
	elements []Element
	unknown  string
}

var elementListCodec = attr.NewCodec(func(l *elementList) *string { return &l.unknown },
	attr.Field(uapi.NFTA_SET_ELEM_LIST_TABLE, name[string], func(l *elementList) *string { return &l.table }),
	attr.Field(uapi.NFTA_SET_ELEM_LIST_SET, name[string], func(l *elementList) *string { return &l.set }),
	attr.Field(uapi.NFTA_SET_ELEM_LIST_SET_ID, attr.BE32[uint32], func(l *elementList) *uint32 { return &l.setID }),
	attr.Nested(attr.Func(uapi.NFTA_SET_ELEM_LIST_ELEMENTS,
		func(b []byte, l *elementList) ([]byte, bool, error) {
			var member []byte
			for i := range l.elements {
				var err error
				if member, err = elementCodec.Append(member[:0], &l.elements[i]); err != nil {
					return b, false, fmt.Errorf("element %x: %w", l.elements[i].Key, err)
				}
				if b, err = appendNumbered(b, listElem(i+1), member); err != nil {
					return b, false, err
				}
			}
			return b, len(l.elements) > 0, nil
		},
		func(p []byte, l *elementList) error {
			l.elements = nil
			for _, member := range attr.All(p) { // nft(8) numbers them
				var e Element
				if err := elementCodec.Decode(member, &e); err != nil {
					return err
				}
				l.elements = append(l.elements, e)
			}
			return nil
		})),
)
