package explain

import (
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A FIB (forwarding information base) is a World that is prepared for lookups. A FIB does
// not change, and is safe for concurrent use.
type FIB struct {
	world   World
	byName  map[string]int32 // names and alternative names → place in devices
	byIndex map[uint32]int32 // indexes → place in devices
	devices []device
	v4, v6  half
	names   *route.Names // for text
	conf    settings
}

// A device is an interface with its addresses and settings.
type device struct {
	*Link
	vrf    uint32 // the index of the VRF that it is or belongs to; zero: none
	addrs4 []*Address
	addrs6 []*Address

	ignoreLinkDown [2]bool // of IPv4 and IPv6
	forwards       [2]bool
	routeLocalnet  bool
	rpFilter       int
	acceptLocal    bool
	srcValidMark   bool
	bcForwarding   bool
	sendRedirects  bool
	oifAddrsOnly   bool // IPv6: use_oif_addrs_only
	useOptimistic  bool
	useTempAddr    bool    // prefers temporary addresses
	unknown        unknown // settings that could not be read
}

// A half is what a FIB has of one family.
type half struct {
	v4     bool
	rules  []ruleEntry
	index  *ruleIndex // nil for few rules
	tables []table
	byID   map[rttables.ID]int32
	local  map[key]uint32 // this host's addresses, and their interfaces
	// merged is the place in tables of local and main as one table, which they are in an
	// IPv4 namespace that never had other rules than the default ones. −1: there are
	// other rules. mergeMatters means that the one table can have another result than the
	// two.
	merged       int32
	mergeMatters bool
	// checksSources means that the kernel always looks up the way back to the source of
	// an IPv4 packet that comes in: there are realms, or local routes that it did not make
	// for an address (fib_num_tclassid_users, fib_has_custom_local_routes).
	checksSources bool
	// dissects means that a rule needs the ports of packets that come in, so that the
	// kernel looks for them.
	dissects bool
}

// NewFIB prepares a World. It keeps w, which must not change afterwards.
func NewFIB(w World) *FIB {
	f := &FIB{world: w, byName: make(map[string]int32), byIndex: make(map[uint32]int32)}
	f.conf, f.names = readSettings(w.Sysctls), w.names()
	f.compileDevices()
	f.v4, f.v6 = f.compileHalf(route.IPv4), f.compileHalf(route.IPv6)
	return f
}

// World returns the World of f. It must not be changed.
func (f *FIB) World() *World { return &f.world }

func (f *FIB) compileDevices() {
	f.devices = make([]device, len(f.world.Links))
	for i := range f.world.Links {
		l := &f.world.Links[i]
		f.devices[i] = device{Link: l}
		f.byIndex[l.Index] = int32(i)
		for _, name := range l.AltNames {
			f.byName[name] = int32(i)
		}
	}
	for i := range f.devices {
		f.byName[f.devices[i].Name] = int32(i) // a name goes before an alternative one
	}
	for i := range f.devices {
		d := &f.devices[i]
		d.vrf = f.vrfOf(d.Link)
		d.readSettings(f.world.Sysctls)
	}
	for i := range f.world.Addresses {
		a := &f.world.Addresses[i]
		switch d := f.device(a.Index); {
		case d == nil:
		case a.Addr.Is4():
			d.addrs4 = append(d.addrs4, a)
		default:
			d.addrs6 = append(d.addrs6, a)
		}
	}
}

// vrfOf returns the index of the VRF that an interface is or belongs to. A port of a
// bridge in a VRF belongs to none.
func (f *FIB) vrfOf(l *Link) uint32 {
	if l.Table != 0 {
		return l.Index
	}
	if m := f.device(l.Master); m != nil && m.Table != 0 {
		return l.Master
	}
	return 0
}

// device returns the interface with an index, or nil if there is none.
func (f *FIB) device(index uint32) *device {
	if at, ok := f.byIndex[index]; ok {
		return &f.devices[at]
	}
	return nil
}

// named returns the interface with a name, or nil if there is none.
func (f *FIB) named(name string) *device {
	if at, ok := f.byName[name]; ok {
		return &f.devices[at]
	}
	return nil
}

func (d *device) isUp() bool { return d != nil && d.Flags&FlagUp != 0 }

func (f *FIB) compileHalf(family route.Family) half {
	h := half{v4: family == route.IPv4, byID: make(map[rttables.ID]int32), local: make(map[key]uint32), merged: -1}
	h.compileTables(f, family)
	h.compileRules(f, family)
	for i := range f.world.Addresses {
		if a := &f.world.Addresses[i]; a.Addr.Is4() == h.v4 {
			h.local[keyOf(a.Addr)] = a.Index // of several, the kernel finds the one that was added last
		}
	}
	return h
}

// family returns the place of the family of h in pairs of settings.
func (h *half) family() int {
	if h.v4 {
		return 0
	}
	return 1
}

// findTable returns a table, or nil if there is none.
func (h *half) findTable(id rttables.ID) *table {
	if at, ok := h.byID[id]; ok {
		return &h.tables[at]
	}
	return nil
}

// A flow is a packet as rules and tables see it: struct flowi of net/flow.h.
type flow struct {
	dst, src   key
	hasSrc     bool   // IPv6: RT6_LOOKUP_F_HAS_SADDR
	iif, oif   uint32 // indexes
	vrf        uint32 // flowi_l3mdev
	vrfOfOIF   bool   // FLOWI_FLAG_L3MDEV_OIF
	mark       uint32
	label      uint32
	uid        uint32
	tunID      uint64
	sport      uint16
	dport      uint16
	tos        uint8
	proto      uint8
	get        bool        // it is a lookup of "ip route get"
	vrfTable   rttables.ID // fib_lookup_arg.table, which rules with l3mdev set
	depends    Depends     // on what the rules so far depended
	strict     bool        // IPv6: RT6_LOOKUP_F_IFACE
	dev        uint32      // IPv6: the interface that routes are scored by
	ignoreDown bool        // FIB_LOOKUP_IGNORE_LINKSTATE
}

// A found is what a lookup has found.
type found struct {
	entry   *entry // nil: a rule refused the packet, or nothing was found
	hop     int32  // the next hop of the entry, −1: none
	rule    int32  // place in World.Rules, −1: none
	errno   Errno
	table   rttables.ID
	all     []entry // the routes to the same destination
	choice  *choice // of next hops, of which the kernel takes one by a hash; nil: hop is the only one
	depends Depends
}

// isReject reports whether the packet is refused.
func (r *found) isReject() bool { return r.errno != 0 }

// lo is the index of the loopback interface in every namespace.
const lo = 1

// Decide returns where a packet goes. It does not allocate memory.
func (f *FIB) Decide(p *Packet) Decision { return f.decide(p, false, nil) }

// Get returns what the kernel answers to "ip route get". For an IPv6 packet that comes in,
// the answer can differ from the decision about the packet itself: for the answer, the
// kernel ignores the user, and checks neither the addresses nor whether forwarding is on.
func (f *FIB) Get(p *Packet) Decision { return f.decide(p, true, nil) }

func (f *FIB) decide(p *Packet, get bool, t *trace) Decision {
	fl := flow{
		get: get,
		dst: keyOf(p.To), mark: p.Mark, label: p.FlowLabel, uid: p.UID, tunID: p.TunID,
		sport: p.SPort, dport: p.DPort, tos: p.TOS &^ ecn, proto: uint8(p.IPProto), iif: lo,
	}
	if fl.proto == 0 && p.To.Is4() {
		fl.proto = uint8(route.UDP)
	}
	if p.From.IsValid() {
		fl.src = keyOf(p.From)
	}
	if p.IIF != "" {
		d := f.named(p.IIF)
		switch {
		case d == nil:
			return refuse(NoInterface, ENODEV)
		case p.To.Is4():
			return f.input4(&fl, f.receiver(d, get), t)
		case needsInterface(fl.dst):
			return f.input6(&fl, d, t)
		}
		return f.input6(&fl, f.receiver(d, get), t)
	}
	if p.OIF != "" {
		d := f.named(p.OIF)
		if d == nil {
			return refuse(NoInterface, ENODEV)
		}
		fl.oif = d.Index
	}
	if p.To.Is4() {
		return f.output4(&fl, t)
	}
	return f.output6(&fl, t)
}

// receiver returns the interface that a packet has come in by when the rules are asked:
// the VRF of the one that received it (vrf_ip_rcv of drivers/net/vrf.c). "ip route get"
// takes the interface that it is told.
func (f *FIB) receiver(d *device, get bool) *device {
	if m := f.device(d.vrf); !get && m != nil {
		return m
	}
	return d
}

// ecn are the bits of the DS field that do not count.
const ecn = 3

// updateVRF sets the VRF of a flow: l3mdev_update_flow of net/l3mdev/l3mdev.c.
func (f *FIB) updateVRF(fl *flow) {
	if fl.oif != 0 {
		if d := f.device(fl.oif); d != nil {
			if fl.vrf == 0 {
				fl.vrf, fl.vrfOfOIF = d.vrf, true
			}
			if d.Table != 0 {
				fl.oif, fl.dev = 0, 0
			}
			return
		}
	}
	if fl.iif > lo && fl.vrf == 0 {
		if d := f.device(fl.iif); d != nil {
			fl.vrf = d.vrf
		}
	}
}

// hasDefaultsOnly reports whether a family has only the rules of a new namespace.
func hasDefaultsOnly(rules []ruleEntry, f *FIB) bool {
	return !slices.ContainsFunc(rules, func(r ruleEntry) bool {
		c := f.world.Rules[r.place].Canonical()
		return !isDefault(&c)
	})
}
