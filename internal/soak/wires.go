package main

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/route"
)

// longestHold is how long a disturbance lasts at most.
const longestHold = 1500 * time.Millisecond

// longestMiddle is how long names are exchanged half at most. Run waits a second for the rest.
const longestMiddle = 50 * time.Millisecond

func wireKinds() []kind {
	return []kind{
		{"down", ofWires, wireDown},
		{"carrier", ofWires, wireCarrier},
		{"delete", ofWires, wireDelete},
		{"rename", ofWires, wireRename},
		{"swap", ofWires, wireSwap},
		{"move", ofWires, wireMove},
		{"address", ofWires, wireAddress},
		{"readdress", ofWires, wireReaddress},
		{"mtu", ofWires, wireMTU},
		{"altname", ofWires, wireAltName},
		{"lease", ofWires, wireLease},
		{"no-ipv6", ofWires, wireNoIPv6},
		{"flap", ofWires, wireFlap},
	}
}

// restore gives a wire its addresses and learned routes back, as far as they are missing.
func (w *world) restore(x *wire) error {
	var have []string
	err := w.host.Do(func() error {
		var err error
		have, err = addressesOf(x.name)
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range x.addrs {
		if !contains(have, a) {
			w.host.Addr(x.name, a)
		}
	}
	if err := w.lab.Err(); err != nil {
		return err
	}
	return w.learn(x)
}

// wireDown takes the interface down. The kernel deletes its IPv4 routes and its IPv6
// addresses.
func wireDown(r *round) error {
	x := r.uplinkWire()
	r.w.host.Down(x.name)
	r.hold(longestHold)
	r.w.host.Up(x.name)
	return r.w.restore(x)
}

// wireFlap takes the interface down and up many times.
func wireFlap(r *round) error {
	x := r.uplinkWire()
	for range 2 + r.rng.IntN(10) {
		r.w.host.Down(x.name)
		r.w.host.Up(x.name)
		r.hold(20 * time.Millisecond)
	}
	return r.w.restore(x)
}

// wireCarrier pulls the cable.
func wireCarrier(r *round) error {
	x := r.uplinkWire()
	x.far.Down(x.farName)
	r.hold(longestHold)
	x.far.Up(x.farName)
	for _, a := range x.farAddrs {
		if strings.Contains(a, ":") { // IPv6 addresses go with the link
			x.far.Addr(x.farName, a)
		}
	}
	return nil
}

// wireDelete deletes the interface and makes it again.
func wireDelete(r *round) error {
	x := r.uplinkWire()
	r.w.host.DeleteLink(x.name)
	r.hold(longestHold)
	r.w.connect(x)
	return r.w.restore(x)
}

// rename renames an interface, which older kernels allow only while it is down.
func (r *round) rename(from, to string) {
	down := r.rng.IntN(2) == 0
	if down {
		r.w.host.Down(from)
	}
	r.w.host.Rename(from, to)
	if down {
		r.w.host.Up(to)
	}
}

// wireRename gives the interface another name and its own again.
func wireRename(r *round) error {
	x := r.uplinkWire()
	r.rename(x.name, "other")
	r.hold(longestHold)
	r.rename("other", x.name)
	return r.w.restore(x)
}

// followers returns the sources of wires whose uplinks have the addresses of the interface,
// and no others. When another interface has its name, they are not protected.
func followers(wires ...*wire) (all []*source) {
	for _, x := range wires {
		if x.follows {
			all = append(all, x.protected...)
		}
	}
	return all
}

// wireSwap makes two interfaces change their names for a while. In the middle of the first
// exchange of names nothing is excused, unless a new process or another file might not know
// what the names were before.
func wireSwap(r *round) error {
	x, y := r.uplinkWire(), r.uplinkWire()
	if x == y {
		return wireRename(r)
	}
	isAlone := !strings.Contains(r.name, " + ")
	if !isAlone {
		r.excuse(followers(x, y)...)
	}
	for i := range 2 {
		r.w.host.Rename(x.name, "other")
		r.hold(longestMiddle)
		r.w.host.Rename(y.name, x.name)
		r.hold(longestMiddle)
		if i == 0 && isAlone {
			r.excuse(followers(x, y)...)
		}
		r.w.host.Rename("other", y.name)
		r.hold(longestHold)
	}
	return errors.Join(r.w.restore(x), r.w.restore(y))
}

// wireMove moves the interface to another namespace and back.
func wireMove(r *round) error {
	x := r.uplinkWire()
	away := r.w.side.elsewhere
	if err := moveLink(r.w.host, x.name, away); err != nil {
		return err
	}
	r.hold(longestHold)
	if err := moveLink(away, x.name, r.w.host); err != nil {
		return err
	}
	r.w.host.Up(x.name)
	return r.w.restore(x)
}

// wireAddress deletes addresses of the interface and gives them back.
func wireAddress(r *round) error {
	x := r.uplinkWire()
	for _, i := range r.rng.Perm(len(x.addrs))[:1+r.rng.IntN(len(x.addrs))] {
		r.w.host.DelAddr(x.name, x.addrs[i])
	}
	r.hold(longestHold)
	return r.w.restore(x)
}

// wireReaddress gives an uplink that has the addresses of its interface another one, and the
// old one again. Meanwhile the old one is no source of the uplink.
func wireReaddress(r *round) error {
	x := r.w.wires[2+r.rng.IntN(2)]
	i := x.name[1:]
	r.excuse(followers(x)...)
	r.w.host.DelAddr(x.name, "10."+i+".0.2/24")
	r.w.host.Addr(x.name, "10."+i+".0.7/24")
	if err := r.w.learn(x); err != nil {
		return err
	}
	r.hold(longestHold)
	r.w.host.DelAddr(x.name, "10."+i+".0.7/24")
	return r.w.restore(x)
}

// wireMTU changes the MTU. With less than 1280 bytes an interface has no IPv6.
func wireMTU(r *round) error {
	x := r.uplinkWire()
	mtu := uint32(1300)
	if r.rng.IntN(2) == 0 {
		mtu = 1200
	}
	if err := setLink(r.w.host, x.name, &rtnetlink.LinkAttributes{MTU: mtu}); err != nil {
		return err
	}
	r.hold(longestHold)
	if err := setLink(r.w.host, x.name, &rtnetlink.LinkAttributes{MTU: 1500}); err != nil {
		return err
	}
	return r.w.restore(x)
}

// wireAltName gives an interface alternative names: the name of another interface while that
// has another name, and one that a terminal would not like.
func wireAltName(r *round) error {
	x := r.uplinkWire()
	y := r.w.wires[0]
	r.excuse(followers(x)...)
	r.rename(x.name, "other")
	names := []string{x.name, "alt\x1b[2J\n" + x.name}
	for _, name := range names {
		r.w.host.AltName(y.name, name)
	}
	r.hold(longestHold)
	for _, name := range names {
		if err := deleteAltName(r.w.host, y.name, name); err != nil {
			return err
		}
	}
	r.rename("other", x.name)
	return errors.Join(r.w.restore(x), r.w.restore(y))
}

// wireLease changes the default route that an uplink learns.
func wireLease(r *round) error {
	x := r.w.wires[2]
	d := route.Route{
		Gateway: x.learned, Priority: x.metric, Protocol: route.ProtoDHCP, OIF: r.w.host.Index(x.name),
	}
	if err := r.w.lab.Err(); err != nil {
		return err
	}
	if err := route.Delete(r.ctx, r.w.rival, d); err != nil {
		return err
	}
	r.hold(longestHold / 4)
	d.Gateway = netip.MustParseAddr("10.2.0.9")
	if err := route.Replace(r.ctx, r.w.rival, d); err != nil {
		return err
	}
	r.hold(longestHold)
	return r.w.learn(x)
}

// wireNoIPv6 turns IPv6 off on an interface, and on again. That takes the addresses away.
func wireNoIPv6(r *round) error {
	x := r.uplinkWire()
	key := "net/ipv6/conf/" + x.name + "/disable_ipv6"
	r.w.host.Sysctl(key, "1")
	r.hold(longestHold)
	r.w.host.Sysctl(key, "0")
	return r.w.restore(x)
}
