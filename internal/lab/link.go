package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/jsimonetti/rtnetlink/v2/driver"

	"github.com/policyroute/policyroute/internal/uapi"
)

// An End is one end of a veth pair.
type End struct {
	NS   *NS
	Name string // at most 15 bytes

	// Index is the index of the interface. Zero lets the kernel choose.
	Index uint32

	// MAC is the hardware address. Nil means a random one.
	MAC net.HardwareAddr
}

// Veth makes a veth pair and takes both ends up.
func (l *Lab) Veth(a, b End) {
	l.tb.Helper()
	// The kernel accepts an index for the peer only if the near end has one too.
	if a.Index == 0 {
		a, b = b, a
	}
	l.step(fmt.Sprintf("veth %s in %s, %s in %s", a.Name, a.NS, b.Name, b.NS), func() error {
		peer := b.message()
		peer.Attributes.NetNS = rtnetlink.NetNSForFD(uint32(b.NS.FD()))
		near := a.message()
		near.Attributes.Info = &rtnetlink.LinkInfo{Kind: "veth", Data: &driver.Veth{PeerInfo: peer}}
		if err := a.NS.newLink(near); err != nil {
			return err
		}
		// The message cannot take the peer up, because its own peer does not exist yet.
		if err := a.NS.up(a.Name); err != nil {
			return err
		}
		if err := b.NS.up(b.Name); err != nil {
			return err
		}
		return errors.Join(a.NS.settle(a.Name), b.NS.settle(b.Name))
	})
}

func (e End) message() *rtnetlink.LinkMessage {
	return &rtnetlink.LinkMessage{
		Index:      e.Index,
		Attributes: &rtnetlink.LinkAttributes{Name: e.Name, Address: e.MAC},
	}
}

// Link makes a veth pair, name here and peerName in the namespace peer, and
// takes both ends up.
func (ns *NS) Link(name string, peer *NS, peerName string) {
	ns.lab.tb.Helper()
	ns.lab.Veth(End{NS: ns, Name: name}, End{NS: peer, Name: peerName})
}

// Up takes an interface up.
func (ns *NS) Up(ifname string) {
	ns.lab.tb.Helper()
	ns.step("up "+ifname, func() error {
		if err := ns.up(ifname); err != nil {
			return err
		}
		return ns.settle(ifname)
	})
}

// Down takes an interface down. The kernel removes its IPv4 routes from every
// table, and its IPv6 addresses.
func (ns *NS) Down(ifname string) {
	ns.lab.tb.Helper()
	ns.step("down "+ifname, func() error { return ns.setFlags(ifname, 0, uapi.IFF_UP) })
}

// NoARP turns off address resolution on an interface, as on a tunnel with one other end.
// Packets that leave by the interface then need no neighbour.
func (ns *NS) NoARP(ifname string) {
	ns.lab.tb.Helper()
	ns.step("no ARP on "+ifname, func() error { return ns.setFlags(ifname, uapi.IFF_NOARP, uapi.IFF_NOARP) })
}

// DeleteLink deletes an interface; the other end of a veth pair goes with it.
func (ns *NS) DeleteLink(ifname string) {
	ns.lab.tb.Helper()
	ns.step("delete link "+ifname, func() error {
		conn, link, err := ns.findLink(ifname)
		if err != nil {
			return err
		}
		return conn.Link.Delete(link.index)
	})
}

// Index returns the index of an interface.
func (ns *NS) Index(ifname string) (index uint32) {
	ns.lab.tb.Helper()
	ns.step("index of "+ifname, func() error {
		_, link, err := ns.findLink(ifname)
		index = link.index
		return err
	})
	return index
}

// Addr adds addresses, such as 192.0.2.1/24 and 2001:db8::1/64, to an
// interface. IPv6 addresses are usable at once, without duplicate address
// detection, unless the namespace has KernelDefaults.
func (ns *NS) Addr(ifname string, prefixes ...string) {
	ns.lab.tb.Helper()
	for _, p := range prefixes {
		ns.step(fmt.Sprintf("add address %s to %s", p, ifname), func() error {
			return ns.sendAddress(ifname, p, func(conn *rtnetlink.Conn, m *rtnetlink.AddressMessage) error {
				if m.Family == uapi.AF_INET6 && !ns.kernelDefaults {
					m.Flags |= uapi.IFA_F_NODAD
				}
				if err := conn.Address.New(m); err != nil {
					return err
				}
				return ns.settle(ifname)
			})
		})
	}
}

// DelAddr removes addresses from an interface.
func (ns *NS) DelAddr(ifname string, prefixes ...string) {
	ns.lab.tb.Helper()
	for _, p := range prefixes {
		ns.step(fmt.Sprintf("delete address %s from %s", p, ifname), func() error {
			return ns.sendAddress(ifname, p, func(conn *rtnetlink.Conn, m *rtnetlink.AddressMessage) error {
				return conn.Address.Delete(m)
			})
		})
	}
}

func (ns *NS) sendAddress(ifname, prefix string, send func(*rtnetlink.Conn, *rtnetlink.AddressMessage) error) error {
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return err
	}
	conn, link, err := ns.findLink(ifname)
	if err != nil {
		return err
	}
	ip := net.IP(p.Addr().AsSlice())
	m := &rtnetlink.AddressMessage{
		Family:       uapi.AF_INET6,
		PrefixLength: uint8(p.Bits()),
		Index:        link.index,
		Attributes:   &rtnetlink.AddressAttributes{Address: ip, Local: ip},
	}
	if p.Addr().Is4() {
		m.Family = uapi.AF_INET
	}
	if p.Addr().IsLoopback() {
		m.Scope = uapi.RT_SCOPE_HOST
	}
	return send(conn, m)
}

// netlink returns the netlink socket of the namespace.
func (ns *NS) netlink() (*rtnetlink.Conn, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.conn == nil {
		return nil, errClosed
	}
	return ns.conn, nil
}

func (ns *NS) newLink(m *rtnetlink.LinkMessage) error {
	conn, err := ns.netlink()
	if err != nil {
		return err
	}
	return conn.Link.New(m)
}

func (ns *NS) up(ifname string) error { return ns.setFlags(ifname, uapi.IFF_UP, uapi.IFF_UP) }

func (ns *NS) setFlags(ifname string, flags, change uint32) error {
	conn, link, err := ns.findLink(ifname)
	if err != nil {
		return err
	}
	return conn.Link.Set(&rtnetlink.LinkMessage{Index: link.index, Flags: flags, Change: change})
}

// settle waits until the kernel has finished its work on an interface, which takes some
// milliseconds after the interface came up or got an address. Until then its routes have the
// flag linkdown, it has no IPv6 link-local address, and its addresses are tentative, even
// without duplicate address detection, so that binding to one fails. If the interface has no
// carrier, settle returns at once.
//
// IFF_RUNNING is also set while the operational state is unknown, so settle waits for a known
// state of a veth. The state of other kinds of interfaces can stay unknown.
func (ns *NS) settle(ifname string) error {
	const patience = 5 * time.Second
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, link, err := ns.findLink(ifname)
		if err != nil || link.flags&uapi.IFF_LOWER_UP == 0 {
			return err
		}
		busy := link.flags&uapi.IFF_RUNNING == 0 || link.operState == uapi.IF_OPER_UNKNOWN && link.kind == "veth"
		if !busy && !ns.kernelDefaults {
			if busy, err = ns.hasTentative(link.index); err != nil {
				return err
			}
		}
		if !busy {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s has a carrier but is not ready after %v", ifname, patience)
		}
	}
}
