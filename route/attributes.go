package route

import (
	"iter"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
)

// Attributes are netlink attributes as they stood in a message, headers and
// padding included, one after the other: struct nlattr of linux/netlink.h. It
// is a string so that values that hold one compare with ==.
type Attributes string

// All yields each attribute: its type, flag bits included, and its payload.
func (a Attributes) All() iter.Seq2[uint16, []byte] { return attr.All(string(a)) }

// String is, for each attribute, the word attribute, the type, and the payload
// in hexadecimal, "-" for none. ip(8) has no words for them.
func (a Attributes) String() string {
	var p iptext.Printer
	for num, payload := range a.All() {
		typ, data := iptext.AttributeArgs(num, payload)
		p.Put(iptext.AttributeWord, typ, data)
	}
	return p.String()
}
