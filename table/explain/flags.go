package explain

import "github.com/policyroute/policyroute/internal/uapi"

// The flags of an interface that decide where packets go.
const (
	FlagUp           LinkFlags = uapi.IFF_UP          // the administrator has set it up
	FlagBroadcast    LinkFlags = uapi.IFF_BROADCAST   // it supports broadcast
	FlagLoopback     LinkFlags = uapi.IFF_LOOPBACK    // it is lo
	FlagPointToPoint LinkFlags = uapi.IFF_POINTOPOINT // it has exactly one other end
	FlagNoARP        LinkFlags = uapi.IFF_NOARP       // it does not resolve addresses
	FlagMulticast    LinkFlags = uapi.IFF_MULTICAST   // it supports multicast
	FlagCarrier      LinkFlags = uapi.IFF_LOWER_UP    // it has a carrier
)

// The flags of an address that decide whether it can be a source.
const (
	FlagSecondary  AddressFlags = uapi.IFA_F_SECONDARY  // IPv4: not the first of its subnet
	FlagTemporary  AddressFlags = uapi.IFA_F_TEMPORARY  // IPv6: for privacy, RFC 8981
	FlagOptimistic AddressFlags = uapi.IFA_F_OPTIMISTIC // usable before duplicate address detection ends
	FlagDADFailed  AddressFlags = uapi.IFA_F_DADFAILED  // another host has the address
	FlagHome       AddressFlags = uapi.IFA_F_HOMEADDRESS
	FlagDeprecated AddressFlags = uapi.IFA_F_DEPRECATED // not for new connections
	FlagTentative  AddressFlags = uapi.IFA_F_TENTATIVE  // duplicate address detection has not ended
	// FlagNoPrefixRoute means that the kernel did not add a route to the subnet.
	FlagNoPrefixRoute AddressFlags = uapi.IFA_F_NOPREFIXROUTE
)
