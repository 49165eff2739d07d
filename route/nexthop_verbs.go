package route

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// AddNextHop adds a nexthop object, as "ip nexthop add" does: RTM_NEWNEXTHOP
// with NLM_F_CREATE and NLM_F_EXCL. It returns the object's ID, which the
// kernel chooses for an object without one. An unset Family is that of the
// gateway, or IPv4. An object from a listing is added as it was.
//
// The error is fs.ErrExist if there is an object with that ID, whatever else it
// is. It is fs.ErrPermission without CAP_NET_ADMIN. The kernel refuses what it
// does not know, and an interface that is down (ENETDOWN). Only a weight above
// 256 it may cut to one byte: such a group is read back, and deleted again if
// that is another one; the error is then errors.ErrUnsupported.
func AddNextHop(ctx context.Context, c Conn, n NextHopObject) (id uint32, err error) {
	if n.heavy() {
		return addHeavy(ctx, c, n)
	}
	return writeObject(ctx, c, "add nexthop", netlink.Create|netlink.Excl, n)
}

// ReplaceNextHop adds a nexthop object, or puts it in the place of the one with
// its ID, in one step, as "ip nexthop replace" does: RTM_NEWNEXTHOP with
// NLM_F_CREATE and NLM_F_REPLACE. Unset fields get the defaults of
// [AddNextHop]; a timer of a resilient group stays as it was.
//
// The routes and groups that name the object use the new one. A group does not
// replace a next hop, nor a next hop a group. With a weight that the kernel does
// not know, the error is errors.ErrUnsupported and the object is put back.
func ReplaceNextHop(ctx context.Context, c Conn, n NextHopObject) error {
	if n.heavy() && n.ID != 0 {
		return replaceHeavy(ctx, c, n)
	}
	_, err := writeObject(ctx, c, "replace nexthop", netlink.Create|netlink.Replace, n)
	return err
}

// DeleteNextHop deletes a nexthop object, as "ip nexthop del" does:
// RTM_DELNEXTHOP. The kernel deletes the routes that name it as well, those of
// IPv4 without an event, takes it out of its groups, and deletes a group that
// it was the last member of.
//
// The error is fs.ErrNotExist if there is no such object.
func DeleteNextHop(ctx context.Context, c Conn, id uint32) error {
	err := ctx.Err()
	if err == nil {
		_, err = c.Execute(deleteRequest(id))
	}
	if err != nil {
		return objectError("delete nexthop", &NextHopObject{ID: id, Family: IPv4}, nil, err)
	}
	return nil
}

func deleteRequest(id uint32) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_DELNEXTHOP, Flags: netlink.Request | netlink.Acknowledge},
		Data:   attr.AppendU32(make([]byte, uapi.SizeofNhmsg, 16), uapi.NHA_ID, id),
	}
}

// FlushNextHops deletes the nexthop objects that f selects, groups first, as
// "ip nexthop flush" does, until there are none, and returns how many it
// deleted. A group that goes because it loses its last member does not count.
//
// The zero filter deletes all, and with them every route that names one.
func FlushNextHops(ctx context.Context, c Conn, f NextHopFilter) (n int, err error) {
	for {
		objects, err := ListNextHops(ctx, c, f)
		if err != nil || len(objects) == 0 {
			return n, err
		}
		slices.SortStableFunc(objects, func(a, b NextHopObject) int {
			return min(len(b.Group), 1) - min(len(a.Group), 1)
		})
		reqs := make([]netlink.Message, len(objects))
		for i := range objects {
			reqs[i] = deleteRequest(objects[i].ID)
		}
		errs, err := rtnl.Send(c, reqs)
		if err != nil {
			return n, &rtnl.Error{Package: "route", Verb: "flush nexthops", Err: err}
		}
		for i, err := range errs {
			err = objectError("delete nexthop", &objects[i], nil, err)
			switch {
			case err == nil:
				n++
			case !errors.Is(err, fs.ErrNotExist): // it went meanwhile
				return n, err
			}
		}
	}
}

// writeObject sends one request about n, and returns its ID.
func writeObject(ctx context.Context, c Conn, verb string, flags netlink.HeaderFlags, n NextHopObject,
) (id uint32, err error) {
	n.setDefaults()
	n.setOwn()
	var payload []byte
	if err = ctx.Err(); err == nil {
		err = n.Resilient.check()
	}
	if err == nil {
		payload, err = n.append(nil)
	}
	if err == nil {
		// The kernel reports an encapsulation without the flag that it wants.
		attr.MarkNested(payload[uapi.SizeofNhmsg:], uapi.NHA_ENCAP)
		id, err = sendObject(c, flags, n.ID, payload)
	}
	return id, objectError(verb, &n, payload, err)
}

// maxTimer is what the kernel can hold: 2^32 of its ticks, of which a second
// has up to 1000. Of a longer time it would keep the rest.
const maxTimer = math.MaxUint32 / 1000 * time.Second

// check says why g must not be sent.
func (g *ResilientGroup) check() error {
	if d := g.IdleTimer.Or(0); d > maxTimer {
		return fmt.Errorf("IdleTimer: %v is longer than %v", d, maxTimer)
	}
	if d := g.UnbalancedTimer.Or(0); d > maxTimer {
		return fmt.Errorf("UnbalancedTimer: %v is longer than %v", d, maxTimer)
	}
	return nil
}

var errNoObject = errors.New("the kernel's reply holds no nexthop")

// sendObject has what was stored echoed back where there is something to learn
// from it, the ID. An echo stands for the acknowledgement.
func sendObject(c Conn, flags netlink.HeaderFlags, id uint32, payload []byte) (uint32, error) {
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_NEWNEXTHOP, Flags: netlink.Request | flags},
		Data:   payload,
	}
	if id != 0 {
		req.Header.Flags |= netlink.Acknowledge
		_, err := c.Execute(req)
		return id, err
	}
	req.Header.Flags |= netlink.Echo
	msgs, err := rtnl.Replies(c, req)
	if err != nil {
		return 0, err
	}
	stored, err := onlyObject(msgs)
	return stored.ID, err
}

// onlyObject is the object of a reply.
func onlyObject(msgs []netlink.Message) (NextHopObject, error) {
	if len(msgs) == 0 || msgs[0].Header.Type != uapi.RTM_NEWNEXTHOP {
		return NextHopObject{}, errNoObject
	}
	m := objectCodec.Borrow()
	defer objectCodec.Return(m)
	if err := m.decodeReply(msgs[0].Data); err != nil {
		return NextHopObject{}, err
	}
	return m.NextHopObject, nil
}

// objectError says which verb on which object failed.
func objectError(verb string, n *NextHopObject, payload []byte, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{
		Package: "route", Verb: verb, Object: n.String(), Err: err,
		Attr: rtnl.AttrAt(err, payload, uapi.SizeofNhmsg, objectAttrName),
	}
}

// objectAttrName is the kernel's name of any attribute: those of an
// encapsulation have no row, and can be at fault.
func objectAttrName(num uint16) string { return uapi.NHA(num).String() }
