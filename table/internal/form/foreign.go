package form

import (
	"strconv"

	"github.com/policyroute/policyroute/route"
)

// ReplyProtocol is the protocol of the rules of package reply. It belongs to no uplink.
// linux/rtnetlink.h does not assign this number.
const ReplyProtocol route.Protocol = 0xd4

// IsScriptProtocol reports whether a protocol is one that scripts and administrators give
// to their rules and routes: none, boot, static, or a number without a name. A protocol
// with a name belongs to the kernel or to a running program, such as a DHCP client or a
// routing daemon, which installs again what other programs delete.
func IsScriptProtocol(p route.Protocol) bool {
	switch p {
	case route.ProtoUnspec, route.ProtoBoot, route.ProtoStatic:
		return true
	case ReplyProtocol:
		return false
	}
	_, err := strconv.Atoi(p.String())
	return err == nil
}
