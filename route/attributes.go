package route

import (
	"iter"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
)

// Attributes is a sequence of netlink attributes as in a message, with headers and
// padding: struct nlattr of linux/netlink.h. It is a string, so values that contain
// it compare with ==.
type Attributes string

// All yields the type, with its flag bits, and the payload of each attribute.
func (a Attributes) All() iter.Seq2[uint16, []byte] { return attr.All(string(a)) }

// String returns, for each attribute, the word attribute, the type, and the payload
// in hexadecimal, or "-" if it is empty. ip(8) has no words for these.
func (a Attributes) String() string {
	var p iptext.Printer
	for num, payload := range a.All() {
		typ, data := iptext.AttributeArgs(num, payload)
		p.Put(iptext.AttributeWord, typ, data)
	}
	return p.String()
}
