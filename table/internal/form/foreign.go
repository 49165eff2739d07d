package form

import (
	"strconv"

	"github.com/policyroute/policyroute/route"
)

// IsScriptProtocol reports whether a protocol is one that scripts and administrators give
// to their rules and routes: none, boot, static, or a number without a name. A protocol
// with a name belongs to the kernel or to a running program, such as a DHCP client or a
// routing daemon, which installs again what other programs delete.
func IsScriptProtocol(p route.Protocol) bool {
	switch p {
	case route.ProtoUnspec, route.ProtoBoot, route.ProtoStatic:
		return true
	}
	_, err := strconv.Atoi(p.String())
	return err == nil
}
