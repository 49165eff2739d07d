package explain

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Sysctls are settings of the kernel by name, such as net.ipv4.conf.eth0.rp_filter. A
// setting that is not in the map has the kernel's default. A setting that could not be read
// has the value [Unknown]. The parts of a name are separated by dots. If a part contains a
// dot, they are separated by slashes, as in sysctl(8): net/ipv4/conf/eth0.100/rp_filter.
//
// One name is not a setting of the kernel: net.ipv4.fib_has_custom_rules is 1 if the
// namespace ever had an IPv4 rule other than the default ones. While it is 0, the kernel
// looks up the tables local and main as one table. If the map does not have this name,
// decisions that depend on it have [DependsMerge].
type Sysctls map[string]string

// customRules is not a setting, but a state of a namespace, with its name in the kernel
// (struct netns_ipv4): whether there ever was another IPv4 rule than the default ones.
// Until then the kernel has the tables local and main as one.
const customRules = "net.ipv4.fib_has_custom_rules"

// Unknown is the value of a setting that could not be read.
const Unknown = "?"

// sysctlName returns the one form of a name that Sysctls use.
func sysctlName(name string) string {
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '/' && !strings.Contains(name, ".") {
		return strings.ReplaceAll(name, "/", ".")
	}
	return name
}

// Set sets a setting.
func (s Sysctls) Set(name, value string) { s[sysctlName(name)] = value }

// Get returns the value of a setting, and whether the map has the setting.
func (s Sysctls) Get(name string) (value string, ok bool) {
	value, ok = s[sysctlName(name)]
	return value, ok
}

// int returns the number that a setting has, or def. known is false if the setting
// could not be read.
func (s Sysctls) int(name string, def int) (n int, known bool) {
	v, ok := s.Get(name)
	switch {
	case !ok:
		return def, true
	case v == Unknown:
		return def, false
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return def, false
	}
	return n, true
}

// confName returns the name of a setting of an interface.
func confName(family, dev, setting string) string {
	if strings.ContainsAny(dev, ".") {
		return "net/" + family + "/conf/" + dev + "/" + setting
	}
	return "net." + family + ".conf." + dev + "." + setting
}

// names returns the names in order.
func (s Sysctls) names() []string { return slices.Sorted(maps.Keys(s)) }
