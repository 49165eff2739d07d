package lab

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/jsimonetti/rtnetlink/v2/driver"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
)

// MACVLAN makes a macvlan interface in bridge mode over parent and takes it up.
func (ns *NS) MACVLAN(name, parent string) {
	ns.lab.tb.Helper()
	mode := driver.MacvlanModeBridge
	ns.device(name, parent, &driver.Macvlan{Mode: &mode})
}

// A VXLAN has the properties of a vxlan tunnel.
type VXLAN struct {
	ID     uint32
	Local  netip.Addr // source of the outer packets
	Remote netip.Addr // destination of the outer packets, of the family of Local
	Parent string     // interface that the outer packets leave by; "" leaves it to the routes
}

// VXLAN makes a vxlan interface, port 4789, and takes it up.
func (ns *NS) VXLAN(name string, v VXLAN) {
	ns.lab.tb.Helper()
	port := uint16(4789)
	d := &driver.Vxlan{ID: &v.ID, Port: &port}
	if v.Local.Is4() {
		d.Local, d.Group = v.Local.AsSlice(), v.Remote.AsSlice()
	} else {
		d.Local6, d.Group6 = v.Local.AsSlice(), v.Remote.AsSlice()
	}
	if v.Parent != "" {
		index := ns.Index(v.Parent)
		d.Link = &index
	}
	ns.device(name, "", d)
}

// Bridge makes a bridge with the interfaces ports and takes it up.
func (ns *NS) Bridge(name string, ports ...string) {
	ns.lab.tb.Helper()
	ns.device(name, "", &driver.Bridge{})
	for _, port := range ports {
		ns.step(fmt.Sprintf("put %s into %s", port, name), func() error { return ns.enslave(port, name) })
	}
	ns.step("settle "+name, func() error { return ns.settle(name) })
}

// enslave puts an interface into a bridge or a VRF.
func (ns *NS) enslave(port, master string) error {
	conn, m, err := ns.findLink(master)
	if err != nil {
		return err
	}
	_, link, err := ns.findLink(port)
	if err != nil {
		return err
	}
	return conn.Link.Set(&rtnetlink.LinkMessage{
		Index:      link.index,
		Attributes: &rtnetlink.LinkAttributes{Master: &m.index},
	})
}

// VRF makes a VRF with a table and the interfaces ports, and takes it up. With
// the first VRF of a namespace the kernel adds the rules "1000: from all
// lookup [l3mdev-table]".
//
// Some kernels do not support VRFs, so VRF returns its error, as [NS.TUN] does. The error is
// then EOPNOTSUPP.
func (ns *NS) VRF(name string, table uint32, ports ...string) error {
	m := End{Name: name}.message()
	m.Attributes.Info = &rtnetlink.LinkInfo{Kind: vrf{}.Kind(), Data: vrf{table}}
	err := ns.newLink(m)
	if err == nil {
		err = ns.up(name)
	}
	for _, port := range ports {
		if err == nil {
			err = ns.enslave(port, name)
		}
		if err == nil {
			err = ns.settle(port)
		}
	}
	if err != nil {
		return fmt.Errorf("lab: %s: make vrf %s: %w", ns, name, err)
	}
	return nil
}

// A vrf is the data of a VRF link: its table.
type vrf struct{ table uint32 }

func (vrf) New() rtnetlink.LinkDriver              { return vrf{} }
func (vrf) Kind() string                           { return "vrf" }
func (vrf) Decode(*netlink.AttributeDecoder) error { return nil }
func (v vrf) Encode(e *netlink.AttributeEncoder) error {
	e.Uint32(uapi.IFLA_VRF_TABLE, v.table)
	return nil
}

// device makes an interface with a netlink message, and takes it up.
func (ns *NS) device(name, parent string, data rtnetlink.LinkDriver) {
	ns.lab.tb.Helper()
	ns.step(fmt.Sprintf("make %s %s", data.Kind(), name), func() error {
		m := End{Name: name}.message()
		m.Attributes.Info = &rtnetlink.LinkInfo{Kind: data.Kind(), Data: data}
		if parent != "" {
			_, link, err := ns.findLink(parent)
			if err != nil {
				return err
			}
			m.Attributes.Type = link.index // rtnetlink's name for IFLA_LINK
		}
		if err := ns.newLink(m); err != nil {
			return err
		}
		if err := ns.up(name); err != nil {
			return err
		}
		return ns.settle(name)
	})
}

// TUN makes a point-to-point interface without a link layer, and takes it up. A read from
// the file returns an IP packet that was routed to the interface. A write makes an IP packet
// arrive from it. Closing the file deletes the interface.
//
// TUN needs /dev/net/tun, which some machines do not have or reserve for root. So it returns
// its error.
func (ns *NS) TUN(name string) (*os.File, error) { return ns.TUNOfType(name, 0) }

// TUNOfType is TUN for an interface that has another type of hardware than none, ARPHRD_*,
// and a hardware address of the length that is usual for it. Zero is the type of TUN.
func (ns *NS) TUNOfType(name string, linkType int) (*os.File, error) {
	var f *os.File
	err := ns.Do(func() (err error) {
		f, err = openTUN(name, linkType)
		return err
	})
	if err == nil {
		err = ns.lab.closeLater(f)
	}
	if err == nil {
		err = ns.up(name)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: %s: make tun %s: %w", ns, name, err)
	}
	return f, nil
}
