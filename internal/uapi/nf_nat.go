package uapi

// NF_NAT_RANGE_*: flags of a translation.
const (
	NF_NAT_RANGE_MAP_IPS         = 0x1 // 2.6 the address is translated
	NF_NAT_RANGE_PROTO_SPECIFIED = 0x2 // 2.6 the port is translated
	NF_NAT_RANGE_PROTO_RANDOM    = 0x4 // 2.6
	NF_NAT_RANGE_PERSISTENT      = 0x8 // 2.6.29
)
