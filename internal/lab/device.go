package lab

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/jsimonetti/rtnetlink/v2/driver"
)

// MACVLAN makes a macvlan interface in bridge mode over parent and takes it up.
func (ns *NS) MACVLAN(name, parent string) {
	ns.lab.tb.Helper()
	mode := driver.MacvlanModeBridge
	ns.device(name, parent, &driver.Macvlan{Mode: &mode})
}

// A VXLAN says where a vxlan tunnel goes.
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
		ns.step(fmt.Sprintf("put %s into %s", port, name), func() error {
			conn, bridge, err := ns.link(name)
			if err != nil {
				return err
			}
			_, link, err := ns.link(port)
			if err != nil {
				return err
			}
			return conn.Link.Set(&rtnetlink.LinkMessage{
				Index:      link.Index,
				Attributes: &rtnetlink.LinkAttributes{Master: &bridge.Index},
			})
		})
	}
	ns.step("settle "+name, func() error { return ns.settle(name) })
}

// device makes an interface that the kernel knows how to make from a netlink
// message, and takes it up.
func (ns *NS) device(name, parent string, data rtnetlink.LinkDriver) {
	ns.lab.tb.Helper()
	ns.step(fmt.Sprintf("make %s %s", data.Kind(), name), func() error {
		m := End{Name: name}.message()
		m.Attributes.Info = &rtnetlink.LinkInfo{Kind: data.Kind(), Data: data}
		if parent != "" {
			_, link, err := ns.link(parent)
			if err != nil {
				return err
			}
			m.Attributes.Type = link.Index // the package's name for IFLA_LINK
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

// TUN makes a point-to-point interface without a link layer and takes it up.
// What is routed to it is read from the file, what is written to the file
// arrives from it: whole IP packets. The interface goes away with the file.
//
// It needs /dev/net/tun, which a machine may lack or reserve for root, and is
// therefore the one device whose failure is returned and not recorded.
func (ns *NS) TUN(name string) (*os.File, error) {
	var f *os.File
	err := ns.Do(func() (err error) {
		f, err = openTUN(name)
		return err
	})
	if err == nil {
		err = ns.lab.own(f)
	}
	if err == nil {
		err = ns.up(name)
	}
	if err != nil {
		return nil, fmt.Errorf("lab: %s: make tun %s: %w", ns, name, err)
	}
	return f, nil
}
