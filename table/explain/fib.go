package explain

import (
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A FIB is a World that is prepared for lookups: the forwarding information base. It
// does not change, and is safe for concurrent use.
type FIB struct {
	world World
	byDev map[string]int32 // names and alternative names → place in links
	links []device
	dev   map[uint32]int32 // index → place in links
	v4    half
	v6    half
}

// A device is an interface, and what is looked up of it for each packet.
type device struct {
	*Link
	vrf              uint32 // the index of the VRF that it is or belongs to; zero: none
	ignoreLinkDown   [2]bool
	routeLocalnet    bool
	addrs4, addrs6   []*Address
	forward4, inOkay bool
}

// A half is what the FIB has of one family.
type half struct {
	v4     bool
	rules  []ruleEntry
	tables []table
	byID   map[rttables.ID]int32
	local  map[key]*Address // this host's addresses
	plain  bool             // there are only the default rules
}

// NewFIB prepares a World. It keeps w, which must not change afterwards.
func NewFIB(w World) *FIB {
	f := &FIB{world: w, byDev: make(map[string]int32), dev: make(map[uint32]int32)}
	f.compileLinks()
	f.v4, f.v6 = f.compileHalf(route.IPv4), f.compileHalf(route.IPv6)
	return f
}

// World returns the World of f. It must not be changed.
func (f *FIB) World() *World { return &f.world }

func (f *FIB) compileLinks() {
	for i := range f.world.Links {
		l := &f.world.Links[i]
		f.links = append(f.links, device{Link: l})
		f.dev[l.Index] = int32(i)
		for _, name := range l.AltNames {
			f.byDev[name] = int32(i)
		}
	}
	for i := range f.links {
		f.byDev[f.links[i].Name] = int32(i) // a name goes before an alternative one
	}
	for i := range f.links {
		d := &f.links[i]
		d.vrf = f.masterVRF(d.Link)
		for j, family := range [2]string{"ipv4", "ipv6"} {
			d.ignoreLinkDown[j] = f.conf(family, d.Name, "ignore_routes_with_linkdown") != 0
		}
		d.routeLocalnet = max(f.conf("ipv4", "all", "route_localnet"), f.conf("ipv4", d.Name, "route_localnet")) != 0
	}
	for i := range f.world.Addresses {
		a := &f.world.Addresses[i]
		if at, ok := f.dev[a.Index]; ok {
			d := &f.links[at]
			if a.Addr.Is4() {
				d.addrs4 = append(d.addrs4, a)
			} else {
				d.addrs6 = append(d.addrs6, a)
			}
		}
	}
}

func (f *FIB) conf(family, dev, setting string) int {
	n, _ := f.world.Sysctls.int(confName(family, dev, setting), 0)
	return n
}

// masterVRF returns the index of the VRF that an interface is or belongs to. A port of
// a bridge in a VRF belongs to none.
func (f *FIB) masterVRF(l *Link) uint32 {
	if l.Table != 0 {
		return l.Index
	}
	if at, ok := f.dev[l.Master]; ok && f.links[at].Table != 0 {
		return l.Master
	}
	return 0
}

// device returns an interface, or nil if there is none with the index.
func (f *FIB) device(index uint32) *device {
	if at, ok := f.dev[index]; ok {
		return &f.links[at]
	}
	return nil
}

func (d *device) up() bool { return d != nil && d.Flags&FlagUp != 0 }

func (f *FIB) compileHalf(family route.Family) half {
	h := half{v4: family == route.IPv4, byID: make(map[rttables.ID]int32), local: make(map[key]*Address)}
	h.compileTables(f, family)
	h.compileRules(f, family)
	for i := range f.world.Addresses {
		if a := &f.world.Addresses[i]; a.Addr.Is4() == h.v4 {
			if k := keyOf(a.Addr); h.local[k] == nil {
				h.local[k] = a
			}
		}
	}
	return h
}

// A flow is a packet as the tables and rules see it, and changes on the way.
type flow struct {
	dst, src   key
	hasSrc     bool
	iif, oif   uint32 // indexes
	vrf        uint32 // flowi_l3mdev
	mark       uint32
	label      uint32
	uid        uint32
	tunID      uint64
	sport      uint16
	dport      uint16
	tos        uint8
	proto      uint8
	strict     bool // IPv6: the interface decides
	linkScoped bool
}

// A found is what a table has for a flow.
type found struct {
	entry *entry
	hop   int32 // the next hop of the entry, −1 for one that has none
	errno Errno
	table rttables.ID
	rule  int // place in World.Rules
	bits  int32
}

var none = Decision{Rule: -1, Route: -1}

// lo is the index of the loopback interface in every namespace.
const lo = 1

// Decide returns where a packet goes. It does not allocate memory.
func (f *FIB) Decide(p *Packet) Decision {
	return f.decide(p, nil)
}

func (f *FIB) decide(p *Packet, t *trace) Decision {
	fl := flow{
		dst: keyOf(p.To), hasSrc: p.From.IsValid(), mark: p.Mark, label: p.FlowLabel, uid: p.UID, tunID: p.TunID,
		sport: p.SPort, dport: p.DPort, tos: p.TOS &^ 3, proto: uint8(p.IPProto), iif: lo,
	}
	if fl.hasSrc {
		fl.src = keyOf(p.From)
	}
	if p.OIF != "" {
		at, ok := f.byDev[p.OIF]
		if !ok {
			return refuse(ENODEV)
		}
		fl.oif = f.links[at].Index
	}
	if p.IIF != "" {
		at, ok := f.byDev[p.IIF]
		if !ok {
			return refuse(ENODEV)
		}
		fl.iif = f.links[at].Index
	}
	switch {
	case p.To.Is4() && p.IIF != "":
		return f.input4(&fl, t)
	case p.To.Is4():
		if fl.proto == 0 {
			fl.proto = uapi.IPPROTO_UDP
		}
		return f.output4(&fl, t)
	case p.IIF != "":
		return f.input6(&fl, t)
	}
	return f.output6(&fl, t)
}

// refuse returns the decision about a packet that is refused before any rule is asked.
func refuse(e Errno) Decision {
	d := none
	d.Error = e
	return d
}
