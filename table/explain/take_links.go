package explain

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// readLinks reads the interfaces, and those of their settings that the kernel sends with
// them.
func (w *World) readLinks(c route.Conn) error {
	return dump(c, uapi.RTM_GETLINK, make([]byte, uapi.SizeofIfInfomsg), func(b []byte) error {
		l, settings := decodeLink(b)
		w.Links = append(w.Links, l)
		for _, s := range settings {
			w.Sysctls.Set(confName(s.family, l.Name, s.name), s.value)
		}
		return nil
	})
}

// A setting is one of an interface.
type setting struct{ family, name, value string }

// decodeLink reads a message of type RTM_NEWLINK, which has its header at least.
func decodeLink(b []byte) (l Link, settings []setting) {
	l.Index = binary.NativeEndian.Uint32(b[uapi.IfInfomsgIndex:])
	l.Flags = LinkFlags(binary.NativeEndian.Uint32(b[uapi.IfInfomsgFlags:]))
	for num, p := range attr.All(b[uapi.SizeofIfInfomsg:]) {
		switch num & attr.TypeMask {
		case uapi.IFLA_IFNAME:
			l.Name = cString(p)
		case uapi.IFLA_GROUP:
			l.Group, _ = u32(p)
		case uapi.IFLA_MASTER:
			l.Master, _ = u32(p)
		case uapi.IFLA_PROP_LIST:
			for num, p := range attr.All(p) {
				if num&attr.TypeMask == uapi.IFLA_ALT_IFNAME {
					l.AltNames = append(l.AltNames, cString(p))
				}
			}
		case uapi.IFLA_LINKINFO:
			l.decodeInfo(p)
		case uapi.IFLA_AF_SPEC:
			settings = decodeSpec(p)
		}
	}
	return l, settings
}

// decodeInfo reads IFLA_LINKINFO.
func (l *Link) decodeInfo(b []byte) {
	var data []byte
	for num, p := range attr.All(b) {
		switch num & attr.TypeMask {
		case uapi.IFLA_INFO_KIND:
			l.Kind = cString(p)
		case uapi.IFLA_INFO_DATA:
			data = p
		}
	}
	if l.Kind != "vrf" {
		return
	}
	for num, p := range attr.All(data) {
		if num&attr.TypeMask == uapi.IFLA_VRF_TABLE {
			id, _ := u32(p)
			l.Table = rttables.ID(id)
		}
	}
}

// A place is that of a setting in the array of an address family, with its value by default.
type place struct {
	at    int
	name  string
	value uint32
}

// linkSettings4 are the settings in IFLA_INET_CONF, where the number 1 has the place 0, and
// linkSettings6 those in IFLA_INET6_CONF, other than those of RTM_GETNETCONF.
var (
	linkSettings4 = []place{
		{uapi.IPV4_DEVCONF_SEND_REDIRECTS - 1, "send_redirects", 1}, {uapi.IPV4_DEVCONF_SRC_VMARK - 1, "src_valid_mark", 0},
		{uapi.IPV4_DEVCONF_ACCEPT_LOCAL - 1, "accept_local", 0}, {uapi.IPV4_DEVCONF_ROUTE_LOCALNET - 1, "route_localnet", 0},
	}
	linkSettings6 = []place{
		{uapi.DEVCONF_USE_TEMPADDR, "use_tempaddr", 0}, {uapi.DEVCONF_DISABLE_IPV6, "disable_ipv6", 0},
		{uapi.DEVCONF_USE_OPTIMISTIC, "use_optimistic", 0}, {uapi.DEVCONF_USE_OIF_ADDRS_ONLY, "use_oif_addrs_only", 0},
	}
)

// decodeSpec reads IFLA_AF_SPEC. Settings that have their values by default are left out.
func decodeSpec(b []byte) (settings []setting) {
	read := func(family string, places []place, array []byte) {
		for _, p := range places {
			if at := 4 * p.at; at+4 <= len(array) {
				if n, _ := u32(array[at : at+4]); n != p.value {
					settings = append(settings, setting{family, p.name, strconv.Itoa(int(int32(n)))})
				}
			}
		}
	}
	for family, p := range attr.All(b) {
		for num, p := range attr.All(p) {
			switch family, num := family&attr.TypeMask, num&attr.TypeMask; {
			case family == uapi.AF_INET && num == uapi.IFLA_INET_CONF:
				read("ipv4", linkSettings4, p)
			case family == uapi.AF_INET6 && num == uapi.IFLA_INET6_CONF:
				read("ipv6", linkSettings6, p)
			}
		}
	}
	return settings
}

// cString returns the text before the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
