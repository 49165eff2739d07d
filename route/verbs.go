package route

import (
	"cmp"
	"context"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Add adds a route, as "ip route add" does: RTM_NEWROUTE with NLM_F_CREATE and
// NLM_F_EXCL. Unset fields get the defaults of ip(8): type unicast, table main, and
// the scope of the type. An unset protocol stays unspec.
//
// The error is fs.ErrExist if the table has a route to the same destination
// with the same TOS and priority, whatever its gateway. It is fs.ErrPermission
// without CAP_NET_ADMIN.
//
// Kernels ignore attributes that they do not know. If the route has an attribute that
// is newer than Linux 4.20 and can be ignored, such as an IPv6 gateway of an IPv4
// route, or if it has [Route.Unknown] attributes, Add compares what the kernel has
// stored. If an attribute is missing there, Add deletes the route, and the error is
// errors.ErrUnsupported. If the kernel is older than the attribute, Replace, Append,
// Prepend and Change test it before the request, by adding and deleting a route to
// 0.0.0.0/32 or ::/128.
//
// Add refuses routes with properties of a looked-up packet ([Route.Packet]), such as
// Mark, because the kernel would ignore them in a route.
func Add(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbAdd)
}

// Replace adds a route, or atomically replaces the route to the same destination with
// the same TOS and priority, as "ip route replace" does: RTM_NEWROUTE with NLM_F_CREATE
// and NLM_F_REPLACE. Unset fields get the defaults of [Add].
//
// A route with another priority is another route, and Replace adds r beside it. For
// IPv6, Replace replaces all routes to the destination with that priority.
func Replace(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbReplace)
}

// Append adds a route behind the routes to the same destination with the same TOS
// and priority, as "ip route append" does: RTM_NEWROUTE with NLM_F_CREATE and
// NLM_F_APPEND. IPv4 uses only the first of these routes; IPv6 makes them next hops
// of one route. Unset fields get the defaults of [Add].
func Append(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbAppend)
}

// Prepend adds a route in front of the routes to the same destination with the same
// TOS and priority, as "ip route prepend" does: RTM_NEWROUTE with NLM_F_CREATE
// alone. Unset fields get the defaults of [Add].
func Prepend(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbPrepend)
}

// Change replaces the route to the same destination with the same TOS and priority,
// as "ip route change" does: RTM_NEWROUTE with NLM_F_REPLACE alone. The error is
// fs.ErrNotExist if there is none. Unset fields get the defaults of [Add].
func Change(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbChange)
}

// Delete deletes the first route that matches the fields set in r, as "ip route del"
// does: RTM_DELROUTE. An unset field matches any value, with three exceptions: an unset
// destination is the default route, an unset TOS is zero, and an unset table is main.
// If r is a route from a listing, Delete deletes that route, unless an earlier route to
// the same destination with the same priority has the same fields and more.
//
// The error is fs.ErrNotExist if there is no such route.
func Delete(ctx context.Context, c Conn, r Route) error {
	r.setDeleteDefaults()
	return write(ctx, c, verbDelete, &r)
}

// setDeleteDefaults fills in what Delete sends for unset fields.
func (r *Route) setDeleteDefaults() {
	if r.Family == 0 {
		r.Family = r.family()
	}
	if r.Family == IPv4 && r.Type == 0 && r.Scope == ScopeGlobal {
		r.Scope = ScopeNowhere // matches any; zero would match no route on the link
	}
	r.setCommonDefaults()
	r.Metrics = r.Metrics.clamp() // the kernel compares the limited values
	if r.NextHopID != 0 {
		r.Type = 0 // matches any: a listing has the type of the object
	}
	if r.Family == MPLS {
		r.Type = cmp.Or(r.Type, TypeUnicast) // the only one that there is, which has to be said
	}
}

// A verb is a request about a route.
type verb uint8

const (
	verbAdd verb = iota
	verbReplace
	verbAppend
	verbPrepend
	verbChange
	verbDelete
)

var verbs = [...]struct {
	name  string
	typ   netlink.HeaderType
	flags netlink.HeaderFlags
}{
	verbAdd:     {"add", uapi.RTM_NEWROUTE, netlink.Create | netlink.Excl},
	verbReplace: {"replace", uapi.RTM_NEWROUTE, netlink.Create | netlink.Replace},
	verbAppend:  {"append", uapi.RTM_NEWROUTE, netlink.Create | netlink.Append},
	verbPrepend: {"prepend", uapi.RTM_NEWROUTE, netlink.Create},
	verbChange:  {"change", uapi.RTM_NEWROUTE, netlink.Replace},
	verbDelete:  {"delete", uapi.RTM_DELROUTE, 0},
}

// write sends one request about r.
func write(ctx context.Context, c Conn, v verb, r *Route) error {
	var b []byte
	err := ctx.Err()
	if err == nil {
		b, err = r.appendRequest(make([]byte, 0, requestSize))
	}
	if err == nil {
		_, err = c.Execute(netlink.Message{
			Header: netlink.Header{Type: verbs[v].typ, Flags: netlink.Request | netlink.Acknowledge | verbs[v].flags},
			Data:   b,
		})
	}
	return writeError(v, r, b, err)
}

// requestSize is enough for a request about most routes.
const requestSize = 128

// writeError says which verb failed on which route, and which attribute of the
// request is at fault.
func writeError(v verb, r *Route, payload []byte, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{
		Package: "route", Verb: verbs[v].name, Object: r.object(), Attr: attrAt(err, payload), Err: err,
	}
}

// object returns the words by which errors name r: those of [Route.String], without
// the words for a protocol and a scope that the caller left unset.
func (r *Route) object() string {
	named := *r
	if named.Protocol == ProtoUnspec {
		named.Protocol = ProtoBoot
	}
	if named.Scope == ScopeNowhere {
		named.Scope = named.defaultScope()
	}
	return named.String()
}

// request returns the message of a verb.
func (r Route) request(typ netlink.HeaderType, flags netlink.HeaderFlags) (netlink.Message, error) {
	b, err := r.appendRequest(nil)
	return netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | flags}, Data: b}, err
}

// appendRequest appends the payload of a request about r. It can change r. It does
// not send CacheInfo, which only the kernel sets.
func (r *Route) appendRequest(b []byte) ([]byte, error) {
	r.CacheInfo = CacheInfo{}
	r.setCommonDefaults()
	return r.append(b)
}
