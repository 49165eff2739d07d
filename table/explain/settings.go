package explain

// settings are settings of a namespace that decide where packets go.
type settings struct {
	useNeighbours4 bool // net.ipv4.fib_multipath_use_neigh
	forwards6      bool // net.ipv6.conf.all.forwarding
}

func readSettings(s Sysctls) settings {
	use, _ := s.int("net.ipv4.fib_multipath_use_neigh", 0)
	forwards, _ := s.int("net.ipv6.conf.all.forwarding", 0)
	return settings{useNeighbours4: use != 0, forwards6: forwards != 0}
}

// An unknown is a set of settings of an interface that could not be read.
type unknown uint8

const (
	unknownForwards unknown = 1 << iota
	unknownRPFilter
	unknownAcceptLocal
	unknownValidMark
	unknownLocalnet
)

// A confReader reads settings of an interface.
type confReader struct {
	sysctls Sysctls
	dev     string
	missing bool // one was not known
}

func (c *confReader) get(family, dev, setting string, def int) int {
	n, known := c.sysctls.int(confName(family, dev, setting), def)
	c.missing = c.missing || !known
	return n
}

// own returns the setting of the interface, and all that of all interfaces.
func (c *confReader) own(family, setting string) int { return c.get(family, c.dev, setting, 0) }
func (c *confReader) all(family, setting string) int { return c.get(family, "all", setting, 0) }

// either reports whether the setting of the interface or that of all is on.
func (c *confReader) either(family, setting string) bool {
	return c.own(family, setting) != 0 || c.all(family, setting) != 0
}

// readSettings reads the settings of an interface, with those of all interfaces.
func (d *device) readSettings(s Sysctls) {
	c := confReader{sysctls: s, dev: d.Name}
	note := func(u unknown) {
		if c.missing {
			d.unknown |= u
		}
		c.missing = false
	}
	// net.ipv4.ip_forward sets the forwarding of all interfaces.
	everywhere := c.get("ipv4", "all", "forwarding", 0)
	if n, _ := s.int("net.ipv4.ip_forward", 0); n != 0 {
		everywhere = n
	}
	d.forwards[0] = c.get("ipv4", d.Name, "forwarding", everywhere) != 0
	d.forwards[1] = c.get("ipv6", d.Name, "forwarding", c.all("ipv6", "forwarding")) != 0
	note(unknownForwards)
	d.rpFilter = max(c.own("ipv4", "rp_filter"), c.all("ipv4", "rp_filter"))
	note(unknownRPFilter)
	d.acceptLocal = c.either("ipv4", "accept_local")
	note(unknownAcceptLocal)
	d.srcValidMark = c.either("ipv4", "src_valid_mark")
	note(unknownValidMark)
	d.routeLocalnet = c.either("ipv4", "route_localnet")
	note(unknownLocalnet)
	d.sendRedirects = c.get("ipv4", "all", "send_redirects", 1) != 0 || c.get("ipv4", d.Name, "send_redirects", 1) != 0
	d.ignoreLinkDown[0] = c.either("ipv4", "ignore_routes_with_linkdown")
	d.ignoreLinkDown[1] = c.own("ipv6", "ignore_routes_with_linkdown") != 0
	d.bcForwarding = c.own("ipv4", "bc_forwarding") != 0 && c.all("ipv4", "bc_forwarding") != 0
	d.oifAddrsOnly = c.own("ipv6", "use_oif_addrs_only") != 0
	d.useOptimistic = c.either("ipv6", "use_optimistic")
	d.useTempAddr = c.own("ipv6", "use_tempaddr") >= 2
}

// needs notes that a decision hangs on settings, if they could not be read.
func (d *Decision) needs(dev *device, u unknown) {
	if dev.unknown&u != 0 {
		d.Depends |= DependsSetting
	}
}
