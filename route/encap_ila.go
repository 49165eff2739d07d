package route

import (
	"encoding/binary"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// parseILA takes a locator, which is four hexadecimal numbers of 16 bits, and
// modes.
func parseILA(w *iptext.Words, _ *Names) ([]byte, error) {
	s, err := w.Arg("a locator")
	if err != nil {
		return nil, err
	}
	var locator []byte
	for part := range strings.SplitSeq(s, ":") {
		v, ok := iptext.Uint[uint16]("0x"+part, 16)
		if !ok {
			return nil, w.Errorf("not a locator")
		}
		locator = binary.BigEndian.AppendUint16(locator, v)
	}
	if len(locator) != 8 {
		return nil, w.Errorf("not a locator: want four numbers with colons between them")
	}
	b := attr.Append(nil, uapi.ILA_ATTR_LOCATOR, locator)
	for {
		num, names := uint16(0), iptext.Enum(nil)
		switch {
		case w.Accept("csum-mode"):
			num, names = uapi.ILA_ATTR_CSUM_MODE, iptext.ILACsumModes
		case w.Accept("ident-type"):
			num, names = uapi.ILA_ATTR_IDENT_TYPE, iptext.ILAIdentTypes
		case w.Accept("hook-type"):
			num, names = uapi.ILA_ATTR_HOOK_TYPE, iptext.ILAHookTypes
		default:
			return b, nil
		}
		v, err := argEnum(w, names)
		if err != nil {
			return nil, err
		}
		b = attr.Append(b, num, []byte{v})
	}
}
