package explain

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// netconfSettings are the settings that RTM_GETNETCONF has under a number.
var netconfSettings = map[uint16]string{
	uapi.NETCONFA_FORWARDING: "forwarding", uapi.NETCONFA_RP_FILTER: "rp_filter",
	uapi.NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: "ignore_routes_with_linkdown", uapi.NETCONFA_BC_FORWARDING: "bc_forwarding",
}

// readNetconf reads settings of all interfaces of a family. It leaves out those that are
// zero, as they are by default.
func (w *World) readNetconf(c route.Conn, family route.Family, name string) error {
	header := make([]byte, uapi.SizeofNetconfmsg)
	header[uapi.NetconfmsgFamily] = byte(family)
	err := dump(c, uapi.RTM_GETNETCONF, header, func(b []byte) error {
		var dev string
		values := make(map[string]uint32)
		for num, p := range attr.All(b[uapi.SizeofNetconfmsg:]) {
			n, ok := u32(p)
			switch {
			case !ok:
			case num == uapi.NETCONFA_IFINDEX && n == uapi.NETCONFA_IFINDEX_ALL:
				dev = "all"
			case num == uapi.NETCONFA_IFINDEX:
				dev = w.linkName(n)
			case netconfSettings[num] != "" && n != 0:
				values[netconfSettings[num]] = n
			}
		}
		for s, n := range values {
			if dev != "" {
				w.Sysctls.Set(confName(name, dev, s), strconv.Itoa(int(int32(n))))
			}
		}
		return nil
	})
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil // a kernel without IPv6
	}
	if _, ok := w.Sysctls.Get(confName(name, "all", "forwarding")); ok {
		// Without a value of its own, an interface of a World would have that of all.
		for i := range w.Links {
			if conf := confName(name, w.Links[i].Name, "forwarding"); err == nil && w.Sysctls[conf] == "" {
				w.Sysctls.Set(conf, "0")
			}
		}
	}
	return err
}

// linkName returns the name of an interface.
func (w *World) linkName(index uint32) string {
	for i := range w.Links {
		if w.Links[i].Index == index {
			return w.Links[i].Name
		}
	}
	return ""
}

// fileSettings are the settings that only /proc/sys has, with their values by default.
var fileSettings = []struct{ name, value string }{
	{"net.ipv4.conf.all.send_redirects", "1"},
	{"net.ipv4.conf.all.src_valid_mark", "0"},
	{"net.ipv4.conf.all.accept_local", "0"},
	{"net.ipv4.conf.all.route_localnet", "0"},
	{"net.ipv4.fib_multipath_hash_policy", "0"},
	{"net.ipv4.fib_multipath_use_neigh", "0"},
	{"net.ipv6.fib_multipath_hash_policy", "0"},
	{"net.ipv6.conf.all.disable_ipv6", "0"},
	{"net.ipv6.conf.all.use_tempaddr", "0"},
	{"net.ipv6.conf.all.use_optimistic", "0"},
	{"net.ipv6.conf.all.use_oif_addrs_only", "0"},
}

// readSysctls reads the settings of fileSettings. A kernel that is older than a setting
// does not have its file.
func (w *World) readSysctls(c route.Conn) {
	err := rtnl.Inside(c, func() error {
		for _, s := range fileSettings {
			b, err := os.ReadFile(path.Join("/proc/sys", strings.ReplaceAll(s.name, ".", "/")))
			value := strings.TrimSpace(string(b))
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				w.Sysctls.Set(s.name, Unknown)
			case value != s.value:
				w.Sysctls.Set(s.name, value)
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	for _, s := range fileSettings {
		w.Sysctls.Set(s.name, Unknown)
	}
}
