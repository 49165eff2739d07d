package rule

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A message is a rule that is being encoded or decoded, with the fields of struct
// fib_rule_hdr that belong to an attribute.
type message struct {
	Rule
	dstLen, srcLen uint8
}

// codec has one row for each attribute of a rule message. They are written in
// this order.
var codec = attr.NewCodec(func(m *message) *route.Attributes { return &m.Unknown },
	attr.OptField(uapi.FRA_PRIORITY, attr.U32, func(m *message) *route.Opt[uint32] { return &m.Priority }),
	prefixRow(uapi.FRA_SRC, func(m *message) (*netip.Prefix, *uint8) { return &m.From, &m.srcLen }),
	prefixRow(uapi.FRA_DST, func(m *message) (*netip.Prefix, *uint8) { return &m.To, &m.dstLen }),
	attr.Section(func(m *message) bool { return m.IIF != "" || m.OIF != "" },
		attr.Field(uapi.FRA_IIFNAME, attr.IfName, func(m *message) *string { return &m.IIF }),
		attr.Field(uapi.FRA_OIFNAME, attr.IfName, func(m *message) *string { return &m.OIF }),
	),
	attr.Section(func(m *message) bool { return m.FwMark != Mark{} },
		valueRow(uapi.FRA_FWMARK, attr.U32, func(m *message) *valueMask { return &m.FwMark.m }),
		maskRow(uapi.FRA_FWMASK, attr.U32, func(m *message) *valueMask { return &m.FwMark.m }),
	),
	attr.Section((*message).hasRareFields,
		valueRow(uapi.FRA_DSCP, byteKind, func(m *message) *valueMask { return &m.DSCP.m }),
		maskRow(uapi.FRA_DSCP_MASK, byteKind, func(m *message) *valueMask { return &m.DSCP.m }),
		valueRow(uapi.FRA_FLOWLABEL, attr.BE32, func(m *message) *valueMask { return &m.FlowLabel.m }),
		maskRow(uapi.FRA_FLOWLABEL_MASK, attr.BE32, func(m *message) *valueMask { return &m.FlowLabel.m }),
		attr.KeepZero(attr.Field(uapi.FRA_IP_PROTO, attr.U8, func(m *message) *route.IPProto { return &m.IPProto })),
		portsRow(uapi.FRA_SPORT_RANGE, func(m *message) *Ports { return &m.SPort }),
		portMaskRow(uapi.FRA_SPORT_MASK, func(m *message) *Ports { return &m.SPort }),
		portsRow(uapi.FRA_DPORT_RANGE, func(m *message) *Ports { return &m.DPort }),
		portMaskRow(uapi.FRA_DPORT_MASK, func(m *message) *Ports { return &m.DPort }),
		attr.Field(uapi.FRA_UID_RANGE, uidRangeKind, func(m *message) *UIDs { return &m.UIDRange }),
		attr.OptField(uapi.FRA_TUN_ID, attr.BE64, func(m *message) *route.Opt[uint64] { return &m.TunID }),
		attr.KeepZero(attr.Field(uapi.FRA_L3MDEV, attr.Flag, func(m *message) *bool { return &m.L3MDev })),
	),
	attr.Func(uapi.FRA_TABLE, putTable, getTable),
	attr.Section(func(m *message) bool {
		return m.Goto != 0 || m.Action == ActionGoto || m.SuppressPrefixLength.IsSet() || m.SuppressIfGroup.IsSet() ||
			m.Realms != route.Realms{}
	},
		attr.Func(uapi.FRA_GOTO, putGoto, getGoto),
		attr.OptField(uapi.FRA_SUPPRESS_PREFIXLEN, attr.U32,
			func(m *message) *route.Opt[uint32] { return &m.SuppressPrefixLength }),
		attr.OptField(uapi.FRA_SUPPRESS_IFGROUP, attr.U32,
			func(m *message) *route.Opt[uint32] { return &m.SuppressIfGroup }),
		attr.KeepZero(attr.Field(uapi.FRA_FLOW, realmsKind, func(m *message) *route.Realms { return &m.Realms })),
	),
	attr.Field(uapi.FRA_PROTOCOL, attr.U8, func(m *message) *route.Protocol { return &m.Protocol }),
	attr.Drop[message](uapi.FRA_PAD),
)

// hasRareFields reports whether m has a selector that few rules have: one of the
// rows of the section.
func (m *message) hasRareFields() bool {
	return m.DSCP != CodePoint{} || m.FlowLabel != Label{} || m.IPProto != 0 || m.SPort != Ports{} || m.DPort != Ports{} ||
		m.UIDRange != UIDs{} || m.TunID.IsSet() || m.L3MDev
}

// prefixRow is a row for a prefix whose length is in the header.
func prefixRow(num uapi.FRA, at func(*message) (*netip.Prefix, *uint8)) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) {
			p, _ := at(m)
			if !p.IsValid() {
				return b, false, nil
			}
			if !m.Family.Has(p.Addr()) {
				return b, true, fmt.Errorf("%s is not a prefix of family %s", p, m.Family)
			}
			return attr.AppendAddr(b, p.Addr()), true, nil
		},
		func(b []byte, m *message) error {
			p, bits := at(m)
			return attr.DecodePrefix(b, m.Family.Bits(), *bits, p)
		})
}

// valueRow is a row for the value of a selector with a mask.
func valueRow(num uapi.FRA, kind func() attr.Kind[uint32], at func(*message) *valueMask) attr.Row[message] {
	return optionalRow(num, kind(), func(m *message) (*bool, *uint32) { v := at(m); return &v.set, &v.value })
}

// maskRow is a row for the mask of a selector.
func maskRow(num uapi.FRA, kind func() attr.Kind[uint32], at func(*message) *valueMask) attr.Row[message] {
	return optionalRow(num, kind(), func(m *message) (*bool, *uint32) { v := at(m); return &v.hasMask, &v.mask })
}

// portMaskRow is a row for the mask of a port.
func portMaskRow(num uapi.FRA, at func(*message) *Ports) attr.Row[message] {
	return optionalRow(num, attr.U16[uint16](), func(m *message) (*bool, *uint16) { v := at(m); return &v.hasMask, &v.mask })
}

// optionalRow is a row for a value that is present if a flag of the message is
// set.
func optionalRow[V any](num uapi.FRA, k attr.Kind[V], at func(*message) (present *bool, value *V)) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) {
			present, v := at(m)
			if !*present {
				return b, false, nil
			}
			b, err := k.Append(b, *v)
			return b, true, err
		},
		func(p []byte, m *message) (err error) {
			present, v := at(m)
			*present = true
			*v, err = k.Decode(p)
			return err
		})
}

// byteKind is a byte in the message and a uint32 in the rule.
func byteKind() attr.Kind[uint32] {
	k := attr.U8[uint8]()
	return attr.Kind[uint32]{
		Append: func(b []byte, v uint32) ([]byte, error) { return k.Append(b, uint8(v)) },
		Decode: func(p []byte) (uint32, error) {
			v, err := k.Decode(p)
			return uint32(v), err
		},
	}
}

// portsRow is a row for struct fib_rule_port_range: two uint16 in host byte order.
func portsRow(num uapi.FRA, at func(*message) *Ports) attr.Row[message] {
	return attr.Func(num,
		func(b []byte, m *message) ([]byte, bool, error) {
			v := at(m)
			if !v.set {
				return b, false, nil
			}
			b = binary.NativeEndian.AppendUint16(b, v.first)
			return binary.NativeEndian.AppendUint16(b, v.last), true, nil
		},
		func(p []byte, m *message) error {
			if len(p) < 4 {
				return fmt.Errorf("%d bytes of payload, want 4", len(p))
			}
			v := at(m)
			v.set = true
			v.first, v.last = binary.NativeEndian.Uint16(p), binary.NativeEndian.Uint16(p[2:])
			return nil
		})
}

// uidRangeKind is struct fib_rule_uid_range: two uint32 in host byte order.
func uidRangeKind() attr.Kind[UIDs] {
	return attr.Kind[UIDs]{
		Append: func(b []byte, u UIDs) ([]byte, error) {
			b = binary.NativeEndian.AppendUint32(b, u.first)
			return binary.NativeEndian.AppendUint32(b, u.last), nil
		},
		Decode: func(p []byte) (UIDs, error) {
			if len(p) < 8 {
				return UIDs{}, fmt.Errorf("%d bytes of payload, want 8", len(p))
			}
			return UIDRange(binary.NativeEndian.Uint32(p), binary.NativeEndian.Uint32(p[4:])), nil
		},
	}
}

// realmsKind is a uint32 with the source realm in its upper half.
func realmsKind() attr.Kind[route.Realms] {
	return attr.Halves(func(src, dst uint16) route.Realms { return route.Realms{Src: src, Dst: dst} },
		func(r route.Realms) (src, dst uint16) { return r.Src, r.Dst })
}

// putTable writes a table above 255, which does not fit into the header. The
// kernel reports the table in both places, and the attribute counts.
func putTable(b []byte, m *message) ([]byte, bool, error) {
	if m.Table <= 255 {
		return b, false, nil
	}
	return binary.NativeEndian.AppendUint32(b, uint32(m.Table)), true, nil
}

func getTable(p []byte, m *message) error { return attr.DecodeU32(p, &m.Table) }

// putGoto writes the target of a goto, also if it is 0, which the kernel refuses.
func putGoto(b []byte, m *message) ([]byte, bool, error) {
	if m.Goto == 0 && m.Action != ActionGoto {
		return b, false, nil
	}
	return binary.NativeEndian.AppendUint32(b, m.Goto), true, nil
}

// getGoto keeps a target of 0, which no field says, of a rule that is no goto.
func getGoto(p []byte, m *message) error {
	err := attr.DecodeU32(p, &m.Goto)
	m.Unknown = attr.Without(m.Unknown, uapi.FRA_GOTO)
	if err == nil && m.Goto == 0 && m.Action != ActionGoto {
		m.Unknown += route.Attributes(attr.Append(nil, uint16(uapi.FRA_GOTO), p))
	}
	return err
}
