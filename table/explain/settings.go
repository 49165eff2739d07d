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

// readSettings reads the settings of an interface, with those of all interfaces.
func (d *device) readSettings(s Sysctls) {
	get := func(family, dev, setting string, def int) int {
		n, known := s.int(confName(family, dev, setting), def)
		d.unknown = d.unknown || !known
		return n
	}
	own := func(family, setting string) int { return get(family, d.Name, setting, 0) }
	all := func(family, setting string) int { return get(family, "all", setting, 0) }
	either := func(setting string) bool { return own("ipv4", setting) != 0 || all("ipv4", setting) != 0 }
	d.ignoreLinkDown = [2]bool{either("ignore_routes_with_linkdown"), own("ipv6", "ignore_routes_with_linkdown") != 0}
	// net.ipv4.ip_forward sets the forwarding of all interfaces.
	everywhere, _ := s.int("net.ipv4.ip_forward", 0)
	d.forwards[0] = get("ipv4", d.Name, "forwarding", max(everywhere, all("ipv4", "forwarding"))) != 0
	d.forwards[1] = get("ipv6", d.Name, "forwarding", all("ipv6", "forwarding")) != 0
	d.routeLocalnet = either("route_localnet")
	d.acceptLocal = either("accept_local")
	d.srcValidMark = either("src_valid_mark")
	d.sendRedirects = get("ipv4", "all", "send_redirects", 1) != 0 || get("ipv4", d.Name, "send_redirects", 1) != 0
	d.bcForwarding = own("ipv4", "bc_forwarding") != 0 && all("ipv4", "bc_forwarding") != 0
	d.rpFilter = max(own("ipv4", "rp_filter"), all("ipv4", "rp_filter"))
	d.oifAddrsOnly = own("ipv6", "use_oif_addrs_only") != 0
	d.useOptimistic = own("ipv6", "use_optimistic") != 0 || all("ipv6", "use_optimistic") != 0
	d.useTempAddr = own("ipv6", "use_tempaddr") >= 2
}
