package route

import (
	"fmt"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// cacheFlags are the words for what an IPv4 route that was looked up has in the
// upper half of its flags, RTCF_* of linux/in_route.h. Some are also those of
// FlagRTOffload and the like, which ip(8) then shows as well.
var cacheFlags = [...]struct {
	flag Flags
	name string
}{
	{uapi.RTCF_LOCAL, "local"},
	{uapi.RTCF_REJECT, "reject"},
	{uapi.RTCF_MULTICAST, "mc"},
	{uapi.RTCF_BROADCAST, "brd"},
	{uapi.RTCF_DNAT, "dst-nat"},
	{uapi.RTCF_SNAT, "src-nat"},
	{uapi.RTCF_MASQ, "masq"},
	{uapi.RTCF_DIRECTDST, "dst-direct"},
	{uapi.RTCF_DIRECTSRC, "src-direct"},
	{uapi.RTCF_REDIRECTED, "redirected"},
	{uapi.RTCF_DOREDIRECT, "redirect"},
	{uapi.RTCF_FAST, "fastroute"},
	{uapi.RTCF_NOTIFY, "notify"},
	{uapi.RTCF_TPROXY, "proxy"},
}

// cacheMask are the flags that cacheFlags are among.
const cacheMask Flags = 0xffff0000

// showCache writes what the kernel says of a route's use.
func showCache(o *iptext.Out, r *shown) {
	switch r.Family {
	case IPv4:
		if r.Flags&FlagCloned != 0 {
			showCacheFlags(o, r)
		}
	case IPv6:
	default:
		return
	}
	c := &r.CacheInfo
	if c.Expires != 0 {
		o.Int("expires", "expires ", int64(c.Expires/userHZ))
		o.Text("sec ")
	}
	putNonZero(o, "error", c.Error)
	if r.Statistics {
		putNonZero(o, "users", c.ClntRef)
		putNonZero(o, "used", c.Used)
		if c.LastUse != 0 {
			o.Uint("age", "age ", uint64(c.LastUse/userHZ))
			o.Text("sec ")
		}
	}
	if c.ID != 0 {
		showHex(o, "ipid", c.ID, "ipid 0x%04x ")
	}
	if c.TS != 0 || c.TSAge != 0 {
		showHex(o, "ts", c.TS, "ts 0x%x") // and no blank
		o.Uint("tsage", "tsage ", uint64(c.TSAge))
		o.Text("sec ")
	}
}

// showHex writes a number in hexadecimal, as text in a format of its own.
func showHex(o *iptext.Out, name string, n uint32, format string) {
	if o.IsJSON() {
		o.Hex(name, "", uint64(n))
	} else {
		o.Text(fmt.Sprintf(format, n))
	}
}

func putNonZero(o *iptext.Out, name string, n uint32) {
	if n != 0 {
		putUint(o, name, name+" ", n)
	}
}

// showCacheFlags writes a line of its own.
func showCacheFlags(o *iptext.Out, r *shown) {
	o.StartArray("cache")
	o.Text(r.lineEnd(), "    cache ")
	flags := r.Flags & cacheMask
	if flags != 0 {
		o.Text("<")
	}
	for _, x := range cacheFlags {
		if flags&x.flag == 0 {
			continue
		}
		flags &^= x.flag
		o.Str("", "", x.name)
		if flags != 0 {
			o.Text(",")
		} else {
			o.Text("> ")
		}
	}
	if flags != 0 {
		o.Str("", "", iptext.Hex(uint32(flags))[len("0x"):])
		o.Text(">")
	}
	o.EndArray()
}
