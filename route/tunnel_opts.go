package route

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// putTunnelOpts writes options with NLA_F_NESTED, which the kernel wants. The
// kernel reports options without that flag, and so they are in Opts.
func putTunnelOpts(b []byte, e *EncapIP) ([]byte, bool, error) {
	start := len(b)
	b = append(b, e.Opts...)
	for num := range e.Opts.All() {
		attr.MarkNested(b[start:], tunnelOpt(num))
	}
	return b, e.Opts != "", nil
}

func getTunnelOpts(p []byte, e *EncapIP) error {
	opts, n := []byte(nil), 0
	for num, payload := range attr.All(string(p)) {
		opts = attr.Append(opts, num&attr.TypeMask, payload)
		n++
	}
	if len(opts) < len(p) {
		return fmt.Errorf("option %d is cut off or has no valid length", n+1)
	}
	e.Opts = Attributes(opts)
	return nil
}

// A tunnelOpt is the number of an option, LWTUNNEL_IP_OPTS_*.
type tunnelOpt uint16

// String returns the number.
func (n tunnelOpt) String() string { return iptext.Decimal(n) }

// tunnelOptsWord returns the word for the options of one kind of tunnel. An
// encapsulation has at most one of these words.
func tunnelOptsWord(name string, parse func(string) ([]byte, bool)) iptext.Word[tunnel] {
	return iptext.Word[tunnel]{
		Names: []string{name},
		Parse: func(w *iptext.Words, t *tunnel) error {
			s, err := w.Arg("options")
			if err != nil {
				return err
			}
			b, ok := parse(s)
			if !ok || t.hasOpts {
				return w.Errorf("not %s", name)
			}
			t.Opts, t.hasOpts = Attributes(b), true
			return nil
		},
	}
}

// An optField is the attribute for a part of options.
type optField struct {
	num  uint16
	bits int // of a big-endian number; zero for bytes in hexadecimal
}

// parseOpts reads parts with colons between them and returns an attribute that
// holds an attribute for each part that is not empty.
func parseOpts(s string, num uint16, fields ...optField) ([]byte, bool) {
	var b []byte
	parts := strings.Split(s, ":")
	if len(parts) > len(fields) {
		return nil, false
	}
	for i, part := range parts {
		f := fields[i]
		if part == "" {
			continue
		}
		if f.bits == 0 {
			data, err := hex.DecodeString(part)
			if err != nil || len(data) > attr.MaxPayload/2 {
				return nil, false
			}
			b = attr.Append(b, f.num, data)
			continue
		}
		v, ok := iptext.Uint[uint32](part, f.bits)
		if !ok {
			return nil, false
		}
		b = attr.Append(b, f.num, binary.BigEndian.AppendUint32(nil, v)[4-f.bits/8:])
	}
	return attr.Append(nil, num, b), len(b) < attr.MaxPayload
}

// parseGeneveOpts reads CLASS:TYPE:DATA, and more after commas.
func parseGeneveOpts(s string) (b []byte, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		opt, ok := parseOpts(part, uapi.LWTUNNEL_IP_OPTS_GENEVE, optField{uapi.LWTUNNEL_IP_OPT_GENEVE_CLASS, 16},
			optField{uapi.LWTUNNEL_IP_OPT_GENEVE_TYPE, 8}, optField{uapi.LWTUNNEL_IP_OPT_GENEVE_DATA, 0})
		if !ok {
			return nil, false
		}
		b = append(b, opt...)
	}
	return b, true
}

// parseVXLANOpts reads a group policy.
func parseVXLANOpts(s string) ([]byte, bool) {
	v, ok := iptext.Uint[uint32](s, 32)
	gbp := attr.Append(nil, uapi.LWTUNNEL_IP_OPT_VXLAN_GBP, binary.NativeEndian.AppendUint32(nil, v))
	return attr.Append(nil, uapi.LWTUNNEL_IP_OPTS_VXLAN, gbp), ok
}

// parseERSPANOpts reads VERSION:INDEX:DIRECTION:HARDWARE.
func parseERSPANOpts(s string) ([]byte, bool) {
	return parseOpts(s, uapi.LWTUNNEL_IP_OPTS_ERSPAN, optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_VER, 8},
		optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_INDEX, 32}, optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_DIR, 8},
		optField{uapi.LWTUNNEL_IP_OPT_ERSPAN_HWID, 8})
}
