package route

import (
	"context"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Add adds a route, as "ip route add" does: RTM_NEWROUTE with NLM_F_CREATE and
// NLM_F_EXCL. Unset fields get ip(8)'s defaults: type unicast, table main, and
// the scope of the type; the protocol stays as it is.
//
// The error is fs.ErrExist if the table has a route to the same destination
// with the same TOS and priority, whatever its gateway. It is fs.ErrPermission
// without CAP_NET_ADMIN.
//
// Kernels accept and ignore attributes that they do not know. With one that is
// newer than Linux 4.20 and would be ignored, a gateway of IPv6 for IPv4 among
// them, or with [Route.Unknown], Add looks at what the kernel made of the route.
// If that is another one, Add deletes it, and the error is
// errors.ErrUnsupported. [Replace], [Append], [Prepend] and [Change] find that
// out beforehand, where the kernel is older than the attribute: they add and
// delete a route to 0.0.0.0/32 or ::/128.
//
// Fields of a looked-up packet, such as Mark, are refused: the kernel would
// ignore them in a route.
func Add(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbAdd)
}

// Replace adds a route, or puts it in the place of the one to the same
// destination with the same TOS and priority, in one step, as "ip route
// replace" does: RTM_NEWROUTE with NLM_F_CREATE and NLM_F_REPLACE. Unset fields
// get the defaults of [Add].
//
// With another priority it is another route, which is added. IPv6 replaces all
// routes to the destination with that priority by the one.
func Replace(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbReplace)
}

// Append adds a route behind those to the same destination with the same TOS and
// priority, as "ip route append" does: RTM_NEWROUTE with NLM_F_CREATE and
// NLM_F_APPEND. For IPv4 only the first of them is taken; IPv6 makes them next
// hops of one route. Unset fields get the defaults of [Add].
func Append(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbAppend)
}

// Prepend adds a route before those to the same destination with the same TOS
// and priority, as "ip route prepend" does: RTM_NEWROUTE with NLM_F_CREATE
// alone. Unset fields get the defaults of [Add].
func Prepend(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbPrepend)
}

// Change puts a route in the place of the one to the same destination with the
// same TOS and priority, as "ip route change" does: RTM_NEWROUTE with
// NLM_F_REPLACE alone. The error is fs.ErrNotExist if there is none. Unset
// fields get the defaults of [Add].
func Change(ctx context.Context, c Conn, r Route) error {
	r.setDefaults()
	return r.put(ctx, c, verbChange)
}

// Delete deletes the first route that has what is set in r, as "ip route del"
// does: RTM_DELROUTE. What is unset matches any route; only destination, TOS
// and table always count, unset ones as default, zero and main. So a route from
// a listing deletes itself, unless one before it, with the same destination and
// priority, has all that it has and more.
//
// The error is fs.ErrNotExist if there is no such route.
func Delete(ctx context.Context, c Conn, r Route) error {
	r.setDeleted()
	return write(ctx, c, verbDelete, &r)
}

// setDeleted fills in what Delete sends for fields that are unset.
func (r *Route) setDeleted() {
	if r.Family == 0 {
		r.Family = r.family()
	}
	if r.Family == IPv4 && r.Type == 0 && r.Scope == ScopeGlobal {
		r.Scope = ScopeNowhere // any; zero would match no route on the link
	}
	r.setTarget()
	r.Metrics = r.Metrics.clamped() // the kernel compares them with what it made of them
	if r.NextHopID != 0 {
		r.Type = 0 // any: a listing has that of the object
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

// requestSize is what a request about most routes fits into.
const requestSize = 128

// writeError says which verb on which route failed, and in which attribute of
// the request.
func writeError(v verb, r *Route, payload []byte, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{
		Package: "route", Verb: verbs[v].name, Object: r.String(), Attr: attrAt(err, payload), Err: err,
	}
}

// request is the message for a verb.
func (r Route) request(typ netlink.HeaderType, flags netlink.HeaderFlags) (netlink.Message, error) {
	b, err := r.appendRequest(nil)
	return netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | flags}, Data: b}, err
}

// appendRequest appends the payload of a request about r, and may change r.
// Ages are the kernel's to say.
func (r *Route) appendRequest(b []byte) ([]byte, error) {
	r.CacheInfo = CacheInfo{}
	r.setTarget()
	return r.append(b)
}
