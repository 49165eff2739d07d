package lab

import (
	"encoding/binary"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
)

// AltName gives an interface an alternative name of at most 127 bytes. Linux 5.5.
func (ns *NS) AltName(ifname, altName string) {
	ns.lab.tb.Helper()
	ns.step("give "+ifname+" the alternative name "+altName, func() error {
		return ns.sendAltName(uapi.RTM_NEWLINKPROP, netlink.Create|netlink.Excl|netlink.Append, ifname, altName)
	})
}

// DelAltName takes an alternative name from an interface.
func (ns *NS) DelAltName(ifname, altName string) {
	ns.lab.tb.Helper()
	ns.step("take the alternative name "+altName+" from "+ifname, func() error {
		return ns.sendAltName(uapi.RTM_DELLINKPROP, 0, ifname, altName)
	})
}

func (ns *NS) sendAltName(typ netlink.HeaderType, flags netlink.HeaderFlags, ifname, altName string) error {
	_, link, err := ns.findLink(ifname)
	if err != nil {
		return err
	}
	data := make([]byte, uapi.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(data[uapi.IfInfomsgIndex:], link.index)
	e := netlink.NewAttributeEncoder()
	e.Nested(uapi.IFLA_PROP_LIST, func(e *netlink.AttributeEncoder) error {
		e.String(uapi.IFLA_ALT_IFNAME, altName)
		return nil
	})
	attrs, err := e.Encode()
	if err != nil {
		return err
	}
	conn, err := netlink.Dial(uapi.NETLINK_ROUTE, ns.Config())
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type: typ, Flags: netlink.Request | netlink.Acknowledge | flags,
		},
		Data: append(data, attrs...),
	})
	return err
}

// Rename gives an interface another name. Before Linux 6.3 it has to be down.
func (ns *NS) Rename(ifname, to string) {
	ns.lab.tb.Helper()
	ns.step("rename "+ifname+" to "+to, func() error {
		conn, link, err := ns.findLink(ifname)
		if err != nil {
			return err
		}
		return conn.Link.Set(&rtnetlink.LinkMessage{Index: link.index, Attributes: &rtnetlink.LinkAttributes{Name: to}})
	})
}
