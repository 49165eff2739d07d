package uapi

// IPCTNL_MSG_CT_*: messages of connection tracking, to be added to NFNL_SUBSYS_CTNETLINK << 8.
const (
	IPCTNL_MSG_CT_NEW    = 0 // 2.6
	IPCTNL_MSG_CT_GET    = 1 // 2.6
	IPCTNL_MSG_CT_DELETE = 2 // 2.6
)

// CTA is the number of an attribute of an entry of connection tracking, CTA_*.
type CTA uint16

const (
	CTA_UNSPEC         CTA = 0  // 2.6
	CTA_TUPLE_ORIG     CTA = 1  // 2.6 nested CTA_TUPLE_*
	CTA_TUPLE_REPLY    CTA = 2  // 2.6 nested CTA_TUPLE_*
	CTA_STATUS         CTA = 3  // 2.6 be32, IPS_*
	CTA_PROTOINFO      CTA = 4  // 2.6 nested
	CTA_HELP           CTA = 5  // 2.6 nested
	CTA_NAT_SRC        CTA = 6  // 2.6 nested
	CTA_TIMEOUT        CTA = 7  // 2.6 be32, seconds
	CTA_MARK           CTA = 8  // 2.6 be32
	CTA_COUNTERS_ORIG  CTA = 9  // 2.6 nested
	CTA_COUNTERS_REPLY CTA = 10 // 2.6 nested
	CTA_USE            CTA = 11 // 2.6 be32
	CTA_ID             CTA = 12 // 2.6 be32
	CTA_NAT_DST        CTA = 13 // 2.6 nested
	CTA_TUPLE_MASTER   CTA = 14 // 2.6 nested CTA_TUPLE_*
	CTA_SEQ_ADJ_ORIG   CTA = 15 // 2.6 nested
	CTA_SEQ_ADJ_REPLY  CTA = 16 // 2.6 nested
	CTA_SECMARK        CTA = 17 // 2.6 be32, obsolete
	CTA_ZONE           CTA = 18 // 2.6 be16
	CTA_SECCTX         CTA = 19 // 2.6 nested
	CTA_TIMESTAMP      CTA = 20 // 3.0 nested
	CTA_MARK_MASK      CTA = 21 // 3.5 be32
	CTA_LABELS         CTA = 22 // 3.9 bytes
	CTA_LABELS_MASK    CTA = 23 // 3.9 bytes
	CTA_SYNPROXY       CTA = 24 // 4.17 nested
	CTA_FILTER         CTA = 25 // 5.8 nested
	CTA_STATUS_MASK    CTA = 26 // 6.0 be32
)

var ctaTable = attributes{
	CTA_UNSPEC:         {"CTA_UNSPEC", Version{}},
	CTA_TUPLE_ORIG:     {"CTA_TUPLE_ORIG", Version{}},
	CTA_TUPLE_REPLY:    {"CTA_TUPLE_REPLY", Version{}},
	CTA_STATUS:         {"CTA_STATUS", Version{}},
	CTA_PROTOINFO:      {"CTA_PROTOINFO", Version{}},
	CTA_HELP:           {"CTA_HELP", Version{}},
	CTA_NAT_SRC:        {"CTA_NAT_SRC", Version{}},
	CTA_TIMEOUT:        {"CTA_TIMEOUT", Version{}},
	CTA_MARK:           {"CTA_MARK", Version{}},
	CTA_COUNTERS_ORIG:  {"CTA_COUNTERS_ORIG", Version{}},
	CTA_COUNTERS_REPLY: {"CTA_COUNTERS_REPLY", Version{}},
	CTA_USE:            {"CTA_USE", Version{}},
	CTA_ID:             {"CTA_ID", Version{}},
	CTA_NAT_DST:        {"CTA_NAT_DST", Version{}},
	CTA_TUPLE_MASTER:   {"CTA_TUPLE_MASTER", Version{}},
	CTA_SEQ_ADJ_ORIG:   {"CTA_SEQ_ADJ_ORIG", Version{}},
	CTA_SEQ_ADJ_REPLY:  {"CTA_SEQ_ADJ_REPLY", Version{}},
	CTA_SECMARK:        {"CTA_SECMARK", Version{}},
	CTA_ZONE:           {"CTA_ZONE", Version{}},
	CTA_SECCTX:         {"CTA_SECCTX", Version{}},
	CTA_TIMESTAMP:      {"CTA_TIMESTAMP", Version{3, 0}},
	CTA_MARK_MASK:      {"CTA_MARK_MASK", Version{3, 5}},
	CTA_LABELS:         {"CTA_LABELS", Version{3, 9}},
	CTA_LABELS_MASK:    {"CTA_LABELS_MASK", Version{3, 9}},
	CTA_SYNPROXY:       {"CTA_SYNPROXY", Version{4, 17}},
	CTA_FILTER:         {"CTA_FILTER", Version{5, 8}},
	CTA_STATUS_MASK:    {"CTA_STATUS_MASK", Version{6, 0}},
}

// String returns the kernel's name of the attribute; "CTA_77" for an unknown one.
func (a CTA) String() string { return ctaTable.name("CTA_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a CTA) Since() Version { return ctaTable.since(uint16(a)) }

// CTATuple is the number of an attribute of one direction of an entry, CTA_TUPLE_*.
type CTATuple uint16

const (
	CTA_TUPLE_UNSPEC CTATuple = 0 // 2.6
	CTA_TUPLE_IP     CTATuple = 1 // 2.6 nested CTA_IP_*
	CTA_TUPLE_PROTO  CTATuple = 2 // 2.6 nested CTA_PROTO_*
	CTA_TUPLE_ZONE   CTATuple = 3 // 4.3 be16
)

var ctaTupleTable = attributes{
	CTA_TUPLE_UNSPEC: {"CTA_TUPLE_UNSPEC", Version{}},
	CTA_TUPLE_IP:     {"CTA_TUPLE_IP", Version{}},
	CTA_TUPLE_PROTO:  {"CTA_TUPLE_PROTO", Version{}},
	CTA_TUPLE_ZONE:   {"CTA_TUPLE_ZONE", Version{4, 3}},
}

// String returns the kernel's name of the attribute; "CTA_TUPLE_77" for an unknown one.
func (a CTATuple) String() string { return ctaTupleTable.name("CTA_TUPLE_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a CTATuple) Since() Version { return ctaTupleTable.since(uint16(a)) }

// CTAIP is the number of an attribute of the addresses of one direction, CTA_IP_*.
type CTAIP uint16

const (
	CTA_IP_UNSPEC CTAIP = 0 // 2.6
	CTA_IP_V4_SRC CTAIP = 1 // 2.6 IPv4 address
	CTA_IP_V4_DST CTAIP = 2 // 2.6 IPv4 address
	CTA_IP_V6_SRC CTAIP = 3 // 2.6 IPv6 address
	CTA_IP_V6_DST CTAIP = 4 // 2.6 IPv6 address
)

var ctaipTable = attributes{
	CTA_IP_UNSPEC: {"CTA_IP_UNSPEC", Version{}},
	CTA_IP_V4_SRC: {"CTA_IP_V4_SRC", Version{}},
	CTA_IP_V4_DST: {"CTA_IP_V4_DST", Version{}},
	CTA_IP_V6_SRC: {"CTA_IP_V6_SRC", Version{}},
	CTA_IP_V6_DST: {"CTA_IP_V6_DST", Version{}},
}

// String returns the kernel's name of the attribute; "CTA_IP_77" for an unknown one.
func (a CTAIP) String() string { return ctaipTable.name("CTA_IP_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a CTAIP) Since() Version { return ctaipTable.since(uint16(a)) }

// CTAProto is the number of an attribute of the transport protocol of one direction, CTA_PROTO_*.
type CTAProto uint16

const (
	CTA_PROTO_UNSPEC      CTAProto = 0 // 2.6
	CTA_PROTO_NUM         CTAProto = 1 // 2.6 u8, IPPROTO_*
	CTA_PROTO_SRC_PORT    CTAProto = 2 // 2.6 be16
	CTA_PROTO_DST_PORT    CTAProto = 3 // 2.6 be16
	CTA_PROTO_ICMP_ID     CTAProto = 4 // 2.6 be16
	CTA_PROTO_ICMP_TYPE   CTAProto = 5 // 2.6 u8
	CTA_PROTO_ICMP_CODE   CTAProto = 6 // 2.6 u8
	CTA_PROTO_ICMPV6_ID   CTAProto = 7 // 2.6 be16
	CTA_PROTO_ICMPV6_TYPE CTAProto = 8 // 2.6 u8
	CTA_PROTO_ICMPV6_CODE CTAProto = 9 // 2.6 u8
)

var ctaProtoTable = attributes{
	CTA_PROTO_UNSPEC:      {"CTA_PROTO_UNSPEC", Version{}},
	CTA_PROTO_NUM:         {"CTA_PROTO_NUM", Version{}},
	CTA_PROTO_SRC_PORT:    {"CTA_PROTO_SRC_PORT", Version{}},
	CTA_PROTO_DST_PORT:    {"CTA_PROTO_DST_PORT", Version{}},
	CTA_PROTO_ICMP_ID:     {"CTA_PROTO_ICMP_ID", Version{}},
	CTA_PROTO_ICMP_TYPE:   {"CTA_PROTO_ICMP_TYPE", Version{}},
	CTA_PROTO_ICMP_CODE:   {"CTA_PROTO_ICMP_CODE", Version{}},
	CTA_PROTO_ICMPV6_ID:   {"CTA_PROTO_ICMPV6_ID", Version{}},
	CTA_PROTO_ICMPV6_TYPE: {"CTA_PROTO_ICMPV6_TYPE", Version{}},
	CTA_PROTO_ICMPV6_CODE: {"CTA_PROTO_ICMPV6_CODE", Version{}},
}

// String returns the kernel's name of the attribute; "CTA_PROTO_77" for an unknown one.
func (a CTAProto) String() string { return ctaProtoTable.name("CTA_PROTO_", uint16(a)) }

// Since returns the first kernel that has the attribute. It returns zero for an
// unknown one.
func (a CTAProto) Since() Version { return ctaProtoTable.since(uint16(a)) }
