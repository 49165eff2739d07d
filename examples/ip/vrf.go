package main

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/rttables"
)

// vrfTable returns the table of a VRF device. The routes outside of all VRF devices are those
// of the VRF default.
func (p *program) vrfTable(name string) (rttables.ID, error) {
	if name == "default" {
		return rttables.Main, nil
	}
	return p.vrfDeviceTable(name)
}

// vrfDeviceTable is vrfTable for a device.
func (p *program) vrfDeviceTable(name string) (rttables.ID, error) {
	if err := p.dial(); err != nil {
		return 0, err
	}
	for m, err := range rtnl.Dump(p.conn, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, uapi.SizeofIfInfomsg),
	}) {
		if err != nil {
			return 0, kernelFailure(err)
		}
		if table, ok := decodeVRF(m.Data, name); ok {
			return table, nil
		}
	}
	return 0, wrongArg(name, "Invalid VRF")
}

// decodeVRF returns the table of a message of type RTM_NEWLINK, if it is of the VRF device
// with a name. It reads no other attribute: there are some fifty, and more to come.
func decodeVRF(b []byte, name string) (rttables.ID, bool) {
	if len(b) < uapi.SizeofIfInfomsg {
		return 0, false
	}
	attrs := b[uapi.SizeofIfInfomsg:]
	text := func(b []byte, num int) string {
		p, _ := attr.First(b, num)
		return strings.TrimRight(string(p), "\x00")
	}
	info, _ := attr.First(attrs, uapi.IFLA_LINKINFO)
	if text(attrs, uapi.IFLA_IFNAME) != name || text(info, uapi.IFLA_INFO_KIND) != "vrf" {
		return 0, false
	}
	data, _ := attr.First(info, uapi.IFLA_INFO_DATA)
	table, _ := attr.First(data, uapi.IFLA_VRF_TABLE)
	if len(table) != 4 {
		return 0, false
	}
	return rttables.ID(binary.NativeEndian.Uint32(table)), true
}

// replaceVRF replaces the words "vrf NAME" by the table of the VRF.
func (p *program) replaceVRF(args []string) ([]string, error) {
	for i := range args {
		if args[i] == "nexthop" {
			break
		}
		if !abbreviates(args[i], "vrf") {
			continue
		}
		if _, wrong := p.parseRouteWords(nil, args[:i]); wrong != nil && p.hasDst(args[:i]) {
			continue // vrf is not a keyword here, or an earlier word is wrong
		}
		if i+1 == len(args) {
			return nil, missingWord()
		}
		table, err := p.vrfTable(args[i+1])
		if err != nil {
			return nil, err
		}
		args = slices.Clone(args)
		args[i], args[i+1] = "table", iptext.Decimal(table)
	}
	return args, nil
}
