package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// addressesOf returns the addresses of an interface of the current namespace.
func addressesOf(name string) ([]string, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	addrs, err := i.Addrs()
	var all []string
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all, err
}

// setLink changes attributes of an interface.
func setLink(ns *lab.NS, name string, attrs *rtnetlink.LinkAttributes) error {
	index := ns.Index(name)
	if index == 0 {
		return fmt.Errorf("no interface %s", name)
	}
	c, err := rtnetlink.Dial(ns.Config())
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Link.Set(&rtnetlink.LinkMessage{Index: index, Attributes: attrs})
}

// moveLink moves an interface to another namespace.
func moveLink(from *lab.NS, name string, to *lab.NS) error {
	return setLink(from, name, &rtnetlink.LinkAttributes{NetNS: rtnetlink.NetNSForFD(uint32(to.FD()))})
}

// deleteAltName deletes an alternative name of an interface.
func deleteAltName(ns *lab.NS, name, altName string) error {
	index := ns.Index(name)
	data := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(data[4:], index)
	e := netlink.NewAttributeEncoder()
	e.Nested(unix.IFLA_PROP_LIST, func(e *netlink.AttributeEncoder) error {
		e.String(unix.IFLA_ALT_IFNAME, altName)
		return nil
	})
	attrs, err := e.Encode()
	if err != nil {
		return err
	}
	c, err := netlink.Dial(unix.NETLINK_ROUTE, ns.Config())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_DELLINKPROP, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append(data, attrs...),
	})
	return err
}

// gone reports whether an error says that something is not there.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) ||
		err != nil && strings.Contains(err.Error(), "no such")
}
