package main

import (
	"strings"

	"github.com/mdlayher/netlink"

	// Other modules find the same constants in golang.org/x/sys/unix.
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A tracer is a route.Conn that prints every request that it sends. The library needs only
// Execute of a Conn, and the messages decode into the types that they were made of.
type tracer struct {
	conn  route.Conn
	where string
	names *route.Names
	p     *printer
}

// Execute sends a request, and prints it in the words of ip(8).
func (t tracer) Execute(m netlink.Message) ([]netlink.Message, error) {
	replies, err := t.conn.Execute(m)
	t.p.request(t.where, commandText(m, t.names), err)
	return replies, err
}

// commandText returns the command of ip(8) that sends the same request.
func commandText(m netlink.Message, names *route.Names) string {
	switch m.Header.Type {
	case uapi.RTM_NEWRULE, uapi.RTM_DELRULE, uapi.RTM_GETRULE:
		var r rule.Rule
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return err.Error()
		}
		if m.Header.Type == uapi.RTM_GETRULE {
			return ipCommand(r.Family, "rule list")
		}
		// A request to delete also has default values, such as the mask of a port
		// with all bits set. Canonical leaves them out.
		return iptext.Command(r.Family, "rule", verb(m), r.Canonical().Args(names))

	case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE, uapi.RTM_GETROUTE:
		var r route.Route
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return err.Error()
		}
		if m.Header.Type == uapi.RTM_GETROUTE && r.Table == 0 {
			return ipCommand(r.Family, "route list table all")
		} else if m.Header.Type == uapi.RTM_GETROUTE {
			return ipCommand(r.Family, "route list table", r.Table.String())
		}
		return iptext.Command(r.Family, "route", verb(m), r.Text(names))

	case uapi.RTM_GETLINK:
		return "ip link list"
	case uapi.RTM_GETADDR:
		return "ip address list"
	}
	return "(a message that is not about rules or routes)"
}

func verb(m netlink.Message) string {
	switch {
	case m.Header.Type == uapi.RTM_DELRULE || m.Header.Type == uapi.RTM_DELROUTE:
		return "del"
	case m.Header.Flags&netlink.Replace != 0:
		return "replace"
	}
	return "add"
}

func ipCommand(f route.Family, words ...string) string {
	if f == route.IPv6 {
		words = append([]string{"-6"}, words...)
	}
	return "ip " + strings.Join(words, " ")
}
