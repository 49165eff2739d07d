package main

import (
	"net/netip"
	"slices"
)

// isWay reports whether packets that leave by an interface and a router take the uplink.
func (u *uplink) isWay(dev string, via netip.Addr) bool {
	return dev == u.Interface && slices.Contains(u.gateways(), via.String())
}
