package nft

import (
	"strconv"

	"github.com/policyroute/policyroute/internal/uapi"
)

// A Family is the family of a table.
type Family uint8

// Families, NFPROTO_*. AnyFamily is for listings.
const (
	AnyFamily Family = uapi.NFPROTO_UNSPEC
	Inet      Family = uapi.NFPROTO_INET
	IPv4      Family = uapi.NFPROTO_IPV4
	IPv6      Family = uapi.NFPROTO_IPV6
	ARP       Family = uapi.NFPROTO_ARP
	Bridge    Family = uapi.NFPROTO_BRIDGE
	Netdev    Family = uapi.NFPROTO_NETDEV
)

// String returns the word of nft(8): "inet", "ip", "ip6". An unknown family is a number.
func (f Family) String() string {
	switch f {
	case AnyFamily:
		return "any"
	case Inet:
		return "inet"
	case IPv4:
		return "ip"
	case IPv6:
		return "ip6"
	case ARP:
		return "arp"
	case Bridge:
		return "bridge"
	case Netdev:
		return "netdev"
	}
	return strconv.Itoa(int(f))
}

// A Register holds values between the expressions of a rule. Reg1 to Reg4 have 16 bytes
// each. Reg32(n) has 4 bytes; four of them are one of the others.
type Register uint32

// Registers, NFT_REG_*.
const (
	RegVerdict Register = uapi.NFT_REG_VERDICT // takes a verdict, and ends the rule
	Reg1       Register = uapi.NFT_REG_1
	Reg2       Register = uapi.NFT_REG_2
	Reg3       Register = uapi.NFT_REG_3
	Reg4       Register = uapi.NFT_REG_4
)

// Reg32 returns register n of 4 bytes, from 0 to 15. A concatenation that starts in Reg1
// goes on in Reg32(1), after a field of 4 bytes.
func Reg32(n int) Register { return uapi.NFT_REG32_00 + Register(n) }

// perRegister is how many registers of 4 bytes are one of 16.
const perRegister = uapi.NFT_REG_SIZE / uapi.NFT_REG32_SIZE

// canonical returns the name by which the kernel reports a register.
func (r Register) canonical() Register {
	n := r - uapi.NFT_REG32_00
	if r >= uapi.NFT_REG32_00 && r <= uapi.NFT_REG32_15 && n%perRegister == 0 {
		return uapi.NFT_REG_1 + n/perRegister
	}
	return r
}
