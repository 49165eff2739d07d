package nexthop

import (
	"context"
	"errors"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A Filter selects the nexthop objects of a listing. A field that is zero
// selects any.
type Filter struct {
	// The kernel does the selection by Family, OIF and Master. If one of them is set, no
	// groups are selected.
	Family route.Family
	OIF    uint32 // the index of the interface: dev
	Master uint32 // the index of the interface's bridge, VRF or other master: master, vrf
	// Groups selects only groups, in the kernel: groups.
	Groups bool
	// FDB selects only the objects of bridges: fdb. The kernel accepts the attribute but
	// ignores it, so this package does the selection.
	FDB bool
	// Protocol selects the objects with this protocol: proto.
	Protocol route.Protocol
}

// match checks what the kernel does not.
func (f *Filter) match(n *Object) bool {
	return (!f.FDB || n.FDB) && (f.Protocol == 0 || f.Protocol == n.Protocol)
}

// request returns the dump request for f.
func (f *Filter) request() netlink.Message {
	b := make([]byte, uapi.SizeofNhmsg, 32)
	b[uapi.NhmsgFamily] = uint8(f.Family)
	b = appendLinks(b, f.OIF, f.Master)
	if f.Groups {
		b = attr.Append(b, uint16(uapi.NHA_GROUPS), nil)
	}
	return dumpRequest(uapi.RTM_GETNEXTHOP, b)
}

func appendLinks(b []byte, oif, master uint32) []byte {
	if oif != 0 {
		b = attr.AppendU32(b, uapi.NHA_OIF, oif)
	}
	if master != 0 {
		b = attr.AppendU32(b, uapi.NHA_MASTER, master)
	}
	return b
}

func dumpRequest(typ netlink.HeaderType, payload []byte) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump},
		Data:   payload,
	}
}

// All yields the nexthop objects that f selects, ordered by ID, as the kernel
// sends them (a dump with RTM_GETNEXTHOP), without collecting them. An error is
// the last value. The loop can use c, and can end early.
//
// If objects change during the listing, the kernel shows some of the changes
// and not others.
func All(ctx context.Context, c route.Conn, f Filter) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		m := codec.Borrow()
		defer codec.Return(m)
		for b, err := range dump(ctx, c, uapi.RTM_NEWNEXTHOP, f.request()) {
			if err == nil {
				err = m.decodeReply(b)
			}
			if err != nil {
				yield(Object{}, &rtnl.Error{Package: "nexthop", Verb: "list", Err: err})
				return
			}
			if f.match(&m.Object) && !yield(m.Object, nil) {
				return
			}
		}
	}
}

// dump yields the payloads of a dump's messages of one type.
func dump(ctx context.Context, c route.Conn, typ netlink.HeaderType, req netlink.Message) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		for m, err := range rtnl.Dump(c, req) {
			if err == nil && m.Header.Type != typ {
				continue
			}
			if err == nil {
				err = ctx.Err()
			}
			if !yield(m.Data, err) || err != nil {
				return
			}
		}
	}
}

// List returns the nexthop objects that f selects. See [All].
func List(ctx context.Context, c route.Conn, f Filter) ([]Object, error) {
	var objects []Object
	for n, err := range All(ctx, c, f) {
		if err != nil {
			return nil, err
		}
		objects = append(objects, n)
	}
	return objects, nil
}

// Get returns the nexthop object with an ID, as "ip nexthop get" does. The
// error is fs.ErrNotExist if there is none.
func Get(ctx context.Context, c route.Conn, id uint32) (Object, error) {
	n, err := get(ctx, c, id)
	return n, verbError("get", &Object{ID: id, Family: route.IPv4}, nil, err)
}

func get(ctx context.Context, c route.Conn, id uint32) (Object, error) {
	if err := ctx.Err(); err != nil {
		return Object{}, err
	}
	msgs, err := rtnl.Replies(c, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETNEXTHOP, Flags: netlink.Request},
		Data:   attr.AppendU32(make([]byte, uapi.SizeofNhmsg, 16), uapi.NHA_ID, id),
	})
	if err != nil {
		return Object{}, err
	}
	return decodeReplies(msgs)
}

var errNoObject = errors.New("the kernel's reply has no nexthop object")

// decodeReplies returns the object that the kernel replied with.
func decodeReplies(msgs []netlink.Message) (Object, error) {
	if len(msgs) == 0 || msgs[0].Header.Type != uapi.RTM_NEWNEXTHOP {
		return Object{}, errNoObject
	}
	m := codec.Borrow()
	defer codec.Return(m)
	if err := m.decodeReply(msgs[0].Data); err != nil {
		return Object{}, err
	}
	return m.Object, nil
}
