package show

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// cacheFlags are the words for the upper half of the flags of an IPv4 route
// that was looked up: RTCF_* of linux/in_route.h. Some of the bits are also
// those of FlagRTOffload and the like; ip(8) then prints both words.
var cacheFlags = iptext.Bits{
	{Bit: uapi.RTCF_LOCAL, Name: "local"},
	{Bit: uapi.RTCF_REJECT, Name: "reject"},
	{Bit: uapi.RTCF_MULTICAST, Name: "mc"},
	{Bit: uapi.RTCF_BROADCAST, Name: "brd"},
	{Bit: uapi.RTCF_DNAT, Name: "dst-nat"},
	{Bit: uapi.RTCF_SNAT, Name: "src-nat"},
	{Bit: uapi.RTCF_MASQ, Name: "masq"},
	{Bit: uapi.RTCF_DIRECTDST, Name: "dst-direct"},
	{Bit: uapi.RTCF_DIRECTSRC, Name: "src-direct"},
	{Bit: uapi.RTCF_REDIRECTED, Name: "redirected"},
	{Bit: uapi.RTCF_DOREDIRECT, Name: "redirect"},
	{Bit: uapi.RTCF_FAST, Name: "fastroute"},
	{Bit: uapi.RTCF_NOTIFY, Name: "notify"},
	{Bit: uapi.RTCF_TPROXY, Name: "proxy"},
}

// cacheMask has the bits of RTCF_*.
const cacheMask route.Flags = 0xffff0000

// userHZ is USER_HZ of asm/param.h, the ticks of a second in CacheInfo.
const userHZ = 100

// cache prints what the kernel reports about the use of the route.
func (p *routePrinter) cache() {
	switch p.r.Family {
	case route.IPv4:
		if p.r.Flags&route.FlagCloned != 0 {
			p.cacheFlags()
		}
	case route.IPv6:
	default:
		return
	}
	c := &p.r.CacheInfo
	if c.Expires != 0 {
		p.Int("expires", "expires ", int64(c.Expires/userHZ))
		p.Text("sec ")
	}
	putNonZero(p.printer, "error", c.Error)
	if p.Statistics {
		putNonZero(p.printer, "users", c.ClntRef)
		putNonZero(p.printer, "used", c.Used)
		if c.LastUse != 0 {
			p.Uint("age", "age ", uint64(c.LastUse/userHZ))
			p.Text("sec ")
		}
	}
	if c.ID != 0 {
		p.putHex("ipid", c.ID, "ipid 0x%04x ")
	}
	if c.TS != 0 || c.TSAge != 0 {
		p.putHex("ts", c.TS, "ts 0x%x") // without a blank
		p.Uint("tsage", "tsage ", uint64(c.TSAge))
		p.Text("sec ")
	}
}

// cacheFlags prints the flags of the cache, in text on a line of their own.
func (p *routePrinter) cacheFlags() {
	p.StartArray("cache")
	p.Text(p.lineEnd(), "    cache ")
	flags := uint32(p.r.Flags & cacheMask)
	if flags != 0 {
		p.Text("<")
	}
	for _, x := range cacheFlags {
		if flags&x.Bit == 0 {
			continue
		}
		flags &^= x.Bit
		p.Str("", "", x.Name)
		if flags != 0 {
			p.Text(",")
		} else {
			p.Text("> ")
		}
	}
	if flags != 0 {
		p.Str("", "", iptext.Hex(flags)[len("0x"):])
		p.Text(">")
	}
	p.EndArray()
}
