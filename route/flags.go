package route

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Flags are the flags of a route or of one of its next hops: RTNH_F_* and RTM_F_* of
// linux/rtnetlink.h. Only FlagOnLink and FlagPervasive are sent. The kernel sets and
// reports the others. They are not sent, because the kernel would store or refuse them.
type Flags uint32

// The flags, in the words of ip-route(8).
const (
	FlagDead          Flags = uapi.RTNH_F_DEAD          // the interface is down
	FlagPervasive     Flags = uapi.RTNH_F_PERVASIVE     // the gateway is looked up recursively
	FlagOnLink        Flags = uapi.RTNH_F_ONLINK        // the gateway is on the link, whatever the subnets say
	FlagOffload       Flags = uapi.RTNH_F_OFFLOAD       // a device forwards packets to the next hop in hardware
	FlagLinkDown      Flags = uapi.RTNH_F_LINKDOWN      // the interface has no carrier
	FlagUnresolved    Flags = uapi.RTNH_F_UNRESOLVED    // a multicast route that its daemon has not resolved yet
	FlagTrap          Flags = uapi.RTNH_F_TRAP          // a device hands the packets to the kernel
	FlagNotify        Flags = uapi.RTM_F_NOTIFY         // notify the user of changes
	FlagCloned        Flags = uapi.RTM_F_CLONED         // an entry of the cache, made by the kernel
	FlagPrefix        Flags = uapi.RTM_F_PREFIX         // IPv6: a prefix of a router advertisement
	FlagRTOffload     Flags = uapi.RTM_F_OFFLOAD        // a device has the route
	FlagRTTrap        Flags = uapi.RTM_F_TRAP           // a device has the route, and traps packets
	FlagOffloadFailed Flags = uapi.RTM_F_OFFLOAD_FAILED // no device took the route
)

// sentFlags are the flags that are sent.
const sentFlags = FlagOnLink | FlagPervasive

// String returns the words for the flags, with blanks between them. Flags
// without a word follow as a hexadecimal number after the word flags.
func (f Flags) String() string { return iptext.FlagsText(f) }

// MarshalText returns what String does.
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns.
func (f *Flags) UnmarshalText(text []byte) error { return iptext.UnmarshalFlags("route", text, f) }
