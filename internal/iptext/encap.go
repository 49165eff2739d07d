package iptext

import "github.com/policyroute/policyroute/internal/uapi"

// The names that ip(8) has for the modes of encapsulations.
var (
	// ILACsumModes are the values of csum-mode of encap ila.
	ILACsumModes = Enum{
		{N: uapi.ILA_CSUM_ADJUST_TRANSPORT, Name: "adj-transport"},
		{N: uapi.ILA_CSUM_NEUTRAL_MAP, Name: "neutral-map"},
		{N: uapi.ILA_CSUM_NO_ACTION, Name: "no-action"},
		{N: uapi.ILA_CSUM_NEUTRAL_MAP_AUTO, Name: "neutral-map-auto"},
	}
	// ILAIdentTypes are the values of ident-type of encap ila.
	ILAIdentTypes = Enum{
		{N: uapi.ILA_ATYPE_IID, Name: "iid"},
		{N: uapi.ILA_ATYPE_LUID, Name: "luid"},
		{N: uapi.ILA_ATYPE_VIRT_V4, Name: "virt-v4"},
		{N: uapi.ILA_ATYPE_VIRT_UNI_V6, Name: "virt-uni-v6"},
		{N: uapi.ILA_ATYPE_VIRT_MULTI_V6, Name: "virt-multi-v6"},
		{N: uapi.ILA_ATYPE_NONLOCAL_ADDR, Name: "nonlocal-addr"},
		{N: uapi.ILA_ATYPE_USE_FORMAT, Name: "use-format"},
	}
	// ILAHookTypes are the values of hook-type of encap ila.
	ILAHookTypes = Enum{
		{N: uapi.ILA_HOOK_ROUTE_OUTPUT, Name: "output"},
		{N: uapi.ILA_HOOK_ROUTE_INPUT, Name: "input"},
	}
	// IOAM6Modes are the values of mode of encap ioam6.
	IOAM6Modes = Enum{
		{N: uapi.IOAM6_IPTUNNEL_MODE_INLINE, Name: "inline"},
		{N: uapi.IOAM6_IPTUNNEL_MODE_ENCAP, Name: "encap"},
		{N: uapi.IOAM6_IPTUNNEL_MODE_AUTO, Name: "auto"},
	}
)
