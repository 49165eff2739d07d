package lab

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
)

// A linkState is what this package needs to know of an interface. Package rtnetlink decodes
// all attributes of an interface, and refuses one whose hardware address is short, or which
// has a counter that the package does not know.
type linkState struct {
	index, flags uint32
	operState    uint8  // IF_OPER_*
	kind         string // such as veth; empty: none
}

// findLink returns the interface with a name, and the netlink socket.
func (ns *NS) findLink(ifname string) (*rtnetlink.Conn, linkState, error) {
	conn, err := ns.netlink()
	if err != nil {
		return nil, linkState{}, err
	}
	e := netlink.NewAttributeEncoder()
	e.String(uapi.IFLA_IFNAME, ifname)
	attrs, err := e.Encode()
	if err != nil {
		return nil, linkState{}, err
	}
	msgs, err := ns.ask(uapi.RTM_GETLINK, netlink.Request, append(make([]byte, uapi.SizeofIfInfomsg), attrs...))
	if err != nil {
		return nil, linkState{}, err
	}
	for _, m := range msgs {
		if m.Header.Type == uapi.RTM_NEWLINK {
			link, err := decodeLink(m.Data)
			return conn, link, err
		}
	}
	return nil, linkState{}, errors.New("the kernel did not answer with a link")
}

// ask sends a request over the socket for requests whose replies this package decodes.
func (ns *NS) ask(typ netlink.HeaderType, flags netlink.HeaderFlags, data []byte) ([]netlink.Message, error) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if ns.raw == nil {
		return nil, errClosed
	}
	return ns.raw.Execute(netlink.Message{Header: netlink.Header{Type: typ, Flags: flags}, Data: data})
}

// decodeLink reads a message of type RTM_NEWLINK.
func decodeLink(b []byte) (linkState, error) {
	if len(b) < uapi.SizeofIfInfomsg {
		return linkState{}, fmt.Errorf("%d bytes are no link message", len(b))
	}
	link := linkState{
		index: binary.NativeEndian.Uint32(b[uapi.IfInfomsgIndex:]), flags: binary.NativeEndian.Uint32(b[uapi.IfInfomsgFlags:]),
	}
	d, err := netlink.NewAttributeDecoder(b[uapi.SizeofIfInfomsg:])
	if err != nil {
		return linkState{}, err
	}
	for d.Next() {
		switch d.Type() {
		case uapi.IFLA_OPERSTATE:
			link.operState = d.Uint8()
		case uapi.IFLA_LINKINFO:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					if d.Type() == uapi.IFLA_INFO_KIND {
						link.kind = d.String()
					}
				}
				return nil
			})
		}
	}
	return link, d.Err()
}

// hasTentative reports whether an interface has a tentative address.
func (ns *NS) hasTentative(index uint32) (bool, error) {
	msgs, err := ns.ask(uapi.RTM_GETADDR, netlink.Request|netlink.Dump, make([]byte, uapi.SizeofIfAddrmsg))
	for _, m := range msgs {
		b := m.Data
		if len(b) >= uapi.SizeofIfAddrmsg && binary.NativeEndian.Uint32(b[uapi.IfAddrmsgIndex:]) == index &&
			b[uapi.IfAddrmsgFlags]&uapi.IFA_F_TENTATIVE != 0 {
			return true, err
		}
	}
	return false, err
}
