package route

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An IPProto is a protocol above IP, IPPROTO_* of linux/in.h and the IANA's
// registry. The zero IPProto is unset.
type IPProto uint8

// The protocols that the kernel distinguishes when it looks up a route.
const (
	ICMP   IPProto = uapi.IPPROTO_ICMP
	TCP    IPProto = uapi.IPPROTO_TCP
	UDP    IPProto = uapi.IPPROTO_UDP
	ICMPv6 IPProto = uapi.IPPROTO_ICMPV6
)

// ipProtos are the names and aliases for ipproto in Debian's /etc/protocols, which
// is where ip(8) reads them. Without that file, ip(8) reads only numbers and prints
// ipproto-6 for tcp.
var ipProtos = append(iptext.Enum{
	{N: 1, Name: "icmp"}, {N: 2, Name: "igmp"},
	{N: 3, Name: "ggp"}, {N: 4, Name: "ipencap"}, {N: 5, Name: "st"}, {N: 6, Name: "tcp"},
	{N: 8, Name: "egp"}, {N: 9, Name: "igp"}, {N: 12, Name: "pup"}, {N: 17, Name: "udp"},
	{N: 20, Name: "hmp"}, {N: 22, Name: "xns-idp"}, {N: 27, Name: "rdp"}, {N: 29, Name: "iso-tp4"},
	{N: 33, Name: "dccp"}, {N: 36, Name: "xtp"}, {N: 37, Name: "ddp"}, {N: 38, Name: "idpr-cmtp"},
	{N: 41, Name: "ipv6"}, {N: 43, Name: "ipv6-route"}, {N: 44, Name: "ipv6-frag"},
	{N: 45, Name: "idrp"}, {N: 46, Name: "rsvp"}, {N: 47, Name: "gre"}, {N: 50, Name: "esp"},
	{N: 51, Name: "ah"}, {N: 57, Name: "skip"}, {N: 58, Name: "ipv6-icmp"},
	{N: 59, Name: "ipv6-nonxt"}, {N: 60, Name: "ipv6-opts"}, {N: 73, Name: "rspf"},
	{N: 81, Name: "vmtp"}, {N: 88, Name: "eigrp"}, {N: 89, Name: "ospf"}, {N: 93, Name: "ax.25"},
	{N: 94, Name: "ipip"}, {N: 97, Name: "etherip"}, {N: 98, Name: "encap"}, {N: 103, Name: "pim"},
	{N: 108, Name: "ipcomp"}, {N: 112, Name: "vrrp"}, {N: 115, Name: "l2tp"}, {N: 124, Name: "isis"},
	{N: 132, Name: "sctp"}, {N: 133, Name: "fc"}, {N: 135, Name: "mobility-header"},
	{N: 136, Name: "udplite"}, {N: 137, Name: "mpls-in-ip"}, {N: 138, Name: "manet"},
	{N: 139, Name: "hip"}, {N: 140, Name: "shim6"}, {N: 141, Name: "wesp"}, {N: 142, Name: "rohc"},
	{N: 143, Name: "ethernet"},
}, ipProtoAliases...)

// ipProtoAliases are read and never printed.
var ipProtoAliases = iptext.Enum{
	{N: 0, Name: "ip"}, {N: 0, Name: "hopopt"}, {N: 0, Name: "IP"}, {N: 0, Name: "HOPOPT"}, {N: 1, Name: "ICMP"}, {N: 2, Name: "IGMP"},
	{N: 3, Name: "GGP"}, {N: 4, Name: "IP-ENCAP"}, {N: 5, Name: "ST"}, {N: 6, Name: "TCP"},
	{N: 8, Name: "EGP"}, {N: 9, Name: "IGP"}, {N: 12, Name: "PUP"}, {N: 17, Name: "UDP"},
	{N: 20, Name: "HMP"}, {N: 22, Name: "XNS-IDP"}, {N: 27, Name: "RDP"}, {N: 29, Name: "ISO-TP4"},
	{N: 33, Name: "DCCP"}, {N: 36, Name: "XTP"}, {N: 37, Name: "DDP"}, {N: 38, Name: "IDPR-CMTP"},
	{N: 41, Name: "IPv6"}, {N: 43, Name: "IPv6-Route"}, {N: 44, Name: "IPv6-Frag"},
	{N: 45, Name: "IDRP"}, {N: 46, Name: "RSVP"}, {N: 47, Name: "GRE"}, {N: 50, Name: "IPSEC-ESP"},
	{N: 51, Name: "IPSEC-AH"}, {N: 57, Name: "SKIP"}, {N: 58, Name: "IPv6-ICMP"},
	{N: 59, Name: "IPv6-NoNxt"}, {N: 60, Name: "IPv6-Opts"}, {N: 73, Name: "RSPF"},
	{N: 73, Name: "CPHB"}, {N: 81, Name: "VMTP"}, {N: 88, Name: "EIGRP"}, {N: 89, Name: "OSPFIGP"},
	{N: 93, Name: "AX.25"}, {N: 94, Name: "IPIP"}, {N: 97, Name: "ETHERIP"}, {N: 98, Name: "ENCAP"},
	{N: 103, Name: "PIM"}, {N: 108, Name: "IPCOMP"}, {N: 112, Name: "VRRP"}, {N: 115, Name: "L2TP"},
	{N: 124, Name: "ISIS"}, {N: 132, Name: "SCTP"}, {N: 133, Name: "FC"},
	{N: 135, Name: "Mobility-Header"}, {N: 136, Name: "UDPLite"}, {N: 137, Name: "MPLS-in-IP"},
	{N: 139, Name: "HIP"}, {N: 140, Name: "Shim6"}, {N: 141, Name: "WESP"}, {N: 142, Name: "ROHC"},
	{N: 143, Name: "Ethernet"},
}

// String returns the name of p in Debian's /etc/protocols, such as tcp, or its
// number.
func (p IPProto) String() string { return ipProtos.Name(uint8(p)) }

// MarshalText returns what String does.
func (p IPProto) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what String returns, an alias such as TCP, or any number of 8
// bits.
func (p *IPProto) UnmarshalText(text []byte) error {
	n, err := ipProtos.Unmarshal("route", "a protocol above IP", text)
	if err == nil {
		*p = IPProto(n)
	}
	return err
}
