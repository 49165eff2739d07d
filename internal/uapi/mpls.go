package uapi

// Layout of a label stack entry, a big-endian u32: 20 bits of label, 3 of
// traffic class, 1 for the bottom of the stack, 8 of TTL.
const (
	MPLS_LS_LABEL_MASK  = 0xfffff000 // 3.15
	MPLS_LS_LABEL_SHIFT = 12         // 3.15
	MPLS_LS_TC_MASK     = 0xe00      // 3.15
	MPLS_LS_TC_SHIFT    = 9          // 3.15
	MPLS_LS_S_MASK      = 0x100      // 3.15
	MPLS_LS_S_SHIFT     = 8          // 3.15
	MPLS_LS_TTL_MASK    = 0xff       // 3.15
	MPLS_LS_TTL_SHIFT   = 0          // 3.15
)

// MPLS_LABEL_*: labels with a meaning; those from MPLS_LABEL_FIRST_UNRESERVED
// on are free to use.
const (
	MPLS_LABEL_IPV4NULL         = 0  // 4.2
	MPLS_LABEL_RTALERT          = 1  // 4.2
	MPLS_LABEL_IPV6NULL         = 2  // 4.2
	MPLS_LABEL_IMPLNULL         = 3  // 4.2 not accepted in a stack
	MPLS_LABEL_ENTROPY          = 7  // 4.2
	MPLS_LABEL_GAL              = 13 // 4.2
	MPLS_LABEL_OAMALERT         = 14 // 4.2
	MPLS_LABEL_EXTENSION        = 15 // 4.2
	MPLS_LABEL_FIRST_UNRESERVED = 16 // 4.3
)
