package main

import (
	"encoding/binary"
	"slices"

	"github.com/jsimonetti/rtnetlink/v2"
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
		var link rtnetlink.LinkMessage
		if err == nil {
			err = link.UnmarshalBinary(m.Data)
		}
		if err != nil {
			return 0, kernelFailure(err)
		}
		if a := link.Attributes; a != nil && a.Name == name && a.Info != nil && a.Info.Kind == "vrf" {
			if data, ok := a.Info.Data.(*rtnetlink.LinkData); ok {
				return decodeVRFTable(data.Data), nil
			}
		}
	}
	return 0, wrongArg(name, "Invalid VRF")
}

func decodeVRFTable(data []byte) rttables.ID {
	for num, payload := range attr.All(string(data)) {
		if num == uapi.IFLA_VRF_TABLE && len(payload) == 4 {
			return rttables.ID(binary.NativeEndian.Uint32(payload))
		}
	}
	return 0
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
