package route

import (
	"context"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A NextHopFilter selects the nexthop objects of a listing. A field that is
// zero selects any.
type NextHopFilter struct {
	// Family, OIF and Master are looked at by the kernel. No group is in a
	// listing by one of them.
	Family Family
	OIF    uint32 // the index of the interface: dev
	Master uint32 // the index of the interface's bridge, VRF or other master: master, vrf
	// Groups selects only groups, in the kernel: groups.
	Groups bool
	// FDB selects only the objects of bridges: fdb. The kernel has a word for
	// it, and does not look at it.
	FDB      bool
	Protocol Protocol
}

// match checks what the kernel does not.
func (f *NextHopFilter) match(n *NextHopObject) bool {
	return (!f.FDB || n.FDB) && (f.Protocol == 0 || f.Protocol == n.Protocol)
}

// request is the dump request for f.
func (f *NextHopFilter) request() netlink.Message {
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

// AllNextHops yields the nexthop objects that f selects, by ID, as the kernel
// sends them (a dump with RTM_GETNEXTHOP), without collecting them. An error
// comes last. The loop may use c, and may end early.
//
// Of changes during the listing, the kernel shows some and not others.
func AllNextHops(ctx context.Context, c Conn, f NextHopFilter) iter.Seq2[NextHopObject, error] {
	return func(yield func(NextHopObject, error) bool) {
		m := objectCodec.Borrow()
		defer objectCodec.Return(m)
		for b, err := range objectDump(ctx, c, uapi.RTM_NEWNEXTHOP, f.request()) {
			if err == nil {
				err = m.decodeReply(b)
			}
			if err != nil {
				yield(NextHopObject{}, &rtnl.Error{Package: "route", Verb: "list nexthops", Err: err})
				return
			}
			if f.match(&m.NextHopObject) && !yield(m.NextHopObject, nil) {
				return
			}
		}
	}
}

// objectDump yields the payloads of those messages of a dump that have a type.
func objectDump(ctx context.Context, c Conn, typ netlink.HeaderType, req netlink.Message) iter.Seq2[[]byte, error] {
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

// ListNextHops returns the nexthop objects that f selects. See [AllNextHops].
func ListNextHops(ctx context.Context, c Conn, f NextHopFilter) ([]NextHopObject, error) {
	var objects []NextHopObject
	for n, err := range AllNextHops(ctx, c, f) {
		if err != nil {
			return nil, err
		}
		objects = append(objects, n)
	}
	return objects, nil
}

// GetNextHop returns the nexthop object with an ID, as "ip nexthop get" does.
// The error is fs.ErrNotExist if there is none.
func GetNextHop(ctx context.Context, c Conn, id uint32) (NextHopObject, error) {
	n, err := getObject(ctx, c, id)
	return n, objectError("get nexthop", &NextHopObject{ID: id, Family: IPv4}, nil, err)
}

func getObject(ctx context.Context, c Conn, id uint32) (NextHopObject, error) {
	if err := ctx.Err(); err != nil {
		return NextHopObject{}, err
	}
	msgs, err := rtnl.Replies(c, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETNEXTHOP, Flags: netlink.Request},
		Data:   attr.AppendU32(make([]byte, uapi.SizeofNhmsg, 16), uapi.NHA_ID, id),
	})
	if err != nil {
		return NextHopObject{}, err
	}
	return onlyObject(msgs)
}
