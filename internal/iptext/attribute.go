package iptext

import (
	"encoding/hex"

	"github.com/policyroute/policyroute/internal/attr"
)

// AttributeWord is the keyword for an attribute that ip(8) has no word for. Its
// arguments are the type of the attribute and the payload in hexadecimal.
const AttributeWord = "attribute"

// noPayload is the argument for an empty payload.
const noPayload = "-"

// AttributeArgs returns the arguments for an attribute.
func AttributeArgs(num uint16, payload []byte) (typ, data string) {
	if data = hex.EncodeToString(payload); data == "" {
		data = noPayload
	}
	return Decimal(num), data
}

// ArgAttribute takes the arguments of AttributeWord, and returns the attribute as it
// is in a message.
func ArgAttribute(w *Words) (string, error) {
	num, err := ArgUint[uint16](w, "the type of an attribute", 16)
	if err != nil {
		return "", err
	}
	s, err := w.Arg("the payload of an attribute")
	if err != nil {
		return "", err
	}
	if s == noPayload {
		s = ""
	}
	payload, err := hex.DecodeString(s)
	if err != nil || len(payload) > attr.MaxPayload {
		return "", w.Errorf("not the payload of an attribute in hexadecimal")
	}
	return string(attr.Append(nil, num, payload)), nil
}
