package route

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// builtin has the names that ip(8) knows without any file.
var builtin *rttables.Names

// A Family is an address family, AF_* of linux/socket.h. The zero Family is
// unset: a filter selects any family, and the verbs take the family of the
// addresses, or IPv4 if there are none.
type Family uint8

// The families that have routes. ip(8) calls them inet, inet6, mpls, and, for
// multicast routing, ipmr and ip6mr (RTNL_FAMILY_IPMR and RTNL_FAMILY_IP6MR).
const (
	IPv4  Family = uapi.AF_INET
	IPv6  Family = uapi.AF_INET6
	MPLS  Family = uapi.AF_MPLS
	IPMR  Family = uapi.RTNL_FAMILY_IPMR
	IP6MR Family = uapi.RTNL_FAMILY_IP6MR
)

// FamilyOf returns the family of an address: IPv4, IPv6 (also for an IPv4 address
// mapped into IPv6), or zero for the zero Addr.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.IsValid():
		return IPv6
	}
	return 0
}

// Bits returns the length of the family's addresses: 32, 128, or 0 for a family
// without addresses.
func (f Family) Bits() int {
	switch f {
	case IPv4, IPMR:
		return 32
	case IPv6, IP6MR:
		return 128
	}
	return 0
}

// Has reports whether a is an address of the family. The families of multicast
// routing have the addresses of IPv4 or IPv6.
func (f Family) Has(a netip.Addr) bool { return a.IsValid() && a.BitLen() == f.Bits() }

// String returns the name that ip(8) has for f, such as inet6, or its number.
func (f Family) String() string { return iptext.Families.Name(uint8(f)) }

// MarshalText returns what String does.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (f *Family) UnmarshalText(text []byte) error {
	n, err := iptext.Families.Unmarshal("route", "a family", text)
	if err == nil {
		*f = Family(n)
	}
	return err
}

// A Protocol says who made a route or a rule: RTPROT_* of linux/rtnetlink.h. The
// kernel stores it and does not use it.
type Protocol uint8

// The protocols that the kernel itself uses, and common ones that ip(8) knows.
const (
	ProtoUnspec   Protocol = uapi.RTPROT_UNSPEC   // unspecified, as for rules that ip(8) adds
	ProtoRedirect Protocol = uapi.RTPROT_REDIRECT // an ICMP redirect
	ProtoKernel   Protocol = uapi.RTPROT_KERNEL   // the kernel itself, for an address
	ProtoBoot     Protocol = uapi.RTPROT_BOOT     // routes that ip(8) adds
	ProtoStatic   Protocol = uapi.RTPROT_STATIC   // the administrator
	ProtoRA       Protocol = uapi.RTPROT_RA       // a router advertisement
	ProtoDHCP     Protocol = uapi.RTPROT_DHCP     // a DHCP client
)

// String returns the name that ip(8) has built in for p, such as static, or its
// number.
func (p Protocol) String() string { return builtin.Protos().Name(uint32(p)) }

// MarshalText returns what String does.
func (p Protocol) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (p *Protocol) UnmarshalText(text []byte) error {
	n, err := builtin.Protos().Parse(string(text))
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	*p = Protocol(n)
	return nil
}

// A Type says what happens to a packet that matches a route: RTN_* of
// linux/rtnetlink.h. The zero Type is unset: the functions of this package then send
// TypeUnicast.
type Type uint8

// The types of routes, in the words of ip-route(8).
const (
	TypeUnicast     Type = uapi.RTN_UNICAST     // it goes to the gateway or the link
	TypeLocal       Type = uapi.RTN_LOCAL       // it is for this host
	TypeBroadcast   Type = uapi.RTN_BROADCAST   // it goes to the link as a broadcast
	TypeAnycast     Type = uapi.RTN_ANYCAST     // it is for this host, and for an address that several hosts have
	TypeMulticast   Type = uapi.RTN_MULTICAST   // it goes to a group
	TypeBlackhole   Type = uapi.RTN_BLACKHOLE   // it is dropped silently
	TypeUnreachable Type = uapi.RTN_UNREACHABLE // it is dropped, and the sender gets "unreachable"
	TypeProhibit    Type = uapi.RTN_PROHIBIT    // it is dropped, and the sender gets "prohibited"
	TypeThrow       Type = uapi.RTN_THROW       // it is looked up in the next table
	TypeNAT         Type = uapi.RTN_NAT         // not implemented by the kernel
	TypeXResolve    Type = uapi.RTN_XRESOLVE    // not implemented by the kernel
)

var types = iptext.Enum{
	{N: uapi.RTN_UNSPEC, Name: "none"},
	{N: uapi.RTN_UNICAST, Name: "unicast"},
	{N: uapi.RTN_LOCAL, Name: "local"},
	{N: uapi.RTN_BROADCAST, Name: "broadcast"},
	{N: uapi.RTN_ANYCAST, Name: "anycast"},
	{N: uapi.RTN_MULTICAST, Name: "multicast"},
	{N: uapi.RTN_BLACKHOLE, Name: "blackhole"},
	{N: uapi.RTN_UNREACHABLE, Name: "unreachable"},
	{N: uapi.RTN_PROHIBIT, Name: "prohibit"},
	{N: uapi.RTN_THROW, Name: "throw"},
	{N: uapi.RTN_NAT, Name: "nat"},
	{N: uapi.RTN_XRESOLVE, Name: "xresolve"},
}

// String returns the name that ip(8) has for t, such as unreachable, or its number.
func (t Type) String() string { return types.Name(uint8(t)) }

// MarshalText returns what String does.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (t *Type) UnmarshalText(text []byte) error {
	n, err := types.Unmarshal("route", "a type", text)
	if err == nil {
		*t = Type(n)
	}
	return err
}

// A Scope is the distance of a destination, RT_SCOPE_* of linux/rtnetlink.h. Nearer
// destinations have higher numbers. IPv6 routes have no scope; the kernel reports zero.
type Scope uint8

// The scopes. The zero Scope is ScopeGlobal. For an IPv4 route without Type and
// Gateway, [Add] and [Replace] make it ScopeLink, as ip(8) does.
const (
	ScopeGlobal  Scope = uapi.RT_SCOPE_UNIVERSE // beyond a gateway
	ScopeSite    Scope = uapi.RT_SCOPE_SITE     // within the site
	ScopeLink    Scope = uapi.RT_SCOPE_LINK     // on the link
	ScopeHost    Scope = uapi.RT_SCOPE_HOST     // this host
	ScopeNowhere Scope = uapi.RT_SCOPE_NOWHERE  // no destination; in [Delete], any scope
)

// String returns the name that ip(8) has for s, such as link, or its number.
func (s Scope) String() string { return builtin.Scopes().Name(uint32(s)) }

// MarshalText returns what String does.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (s *Scope) UnmarshalText(text []byte) error {
	n, err := builtin.Scopes().Parse(string(text))
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	*s = Scope(n)
	return nil
}

// A Preference ranks a default route from a router advertisement,
// ICMPV6_ROUTER_PREF_* of linux/icmpv6.h. The zero Preference is medium.
type Preference uint8

// The preferences of RFC 4191.
const (
	PrefMedium Preference = uapi.ICMPV6_ROUTER_PREF_MEDIUM
	PrefHigh   Preference = uapi.ICMPV6_ROUTER_PREF_HIGH
	PrefLow    Preference = uapi.ICMPV6_ROUTER_PREF_LOW
)

var preferences = iptext.Enum{
	{N: uapi.ICMPV6_ROUTER_PREF_MEDIUM, Name: "medium"},
	{N: uapi.ICMPV6_ROUTER_PREF_HIGH, Name: "high"},
	{N: uapi.ICMPV6_ROUTER_PREF_LOW, Name: "low"},
}

// String returns low, medium or high, or the number of another preference.
func (p Preference) String() string { return preferences.Name(uint8(p)) }

// MarshalText returns what String does.
func (p Preference) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String returns, or any number of 8 bits.
func (p *Preference) UnmarshalText(text []byte) error {
	n, err := preferences.Unmarshal("route", "a preference", text)
	if err == nil {
		*p = Preference(n)
	}
	return err
}
