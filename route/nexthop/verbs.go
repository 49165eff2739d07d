package nexthop

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
	"github.com/policyroute/policyroute/route"
)

// Add adds a nexthop object, as "ip nexthop add" does: RTM_NEWNEXTHOP with NLM_F_CREATE
// and NLM_F_EXCL. It returns the ID of the object, which the kernel chooses if n has
// none. An unset Family becomes that of the gateway, or IPv4. An object from a listing
// can be added again without changes.
//
// The error is fs.ErrExist if there is an object with that ID, whatever its other
// fields. It is fs.ErrPermission without CAP_NET_ADMIN. The kernel refuses attributes
// that it does not know, and an interface that is down (ENETDOWN). Older kernels cut a
// weight above 256 to one byte. So Add reads back a group with such a weight. If the
// weights differ, Add deletes the group, and the error is errors.ErrUnsupported.
func Add(ctx context.Context, c route.Conn, n Object) (id uint32, err error) {
	if n.hasBigWeight() {
		return addBigWeight(ctx, c, n)
	}
	return write(ctx, c, verbAdd, netlink.Create|netlink.Excl, n)
}

// Replace adds a nexthop object, or atomically replaces the object with the same ID, as
// "ip nexthop replace" does: RTM_NEWNEXTHOP with NLM_F_CREATE and NLM_F_REPLACE. Unset
// fields get the defaults of [Add]. An unset timer of a resilient group does not
// change.
//
// The routes and groups that name the object use the new one. A next hop cannot be
// replaced by a group, nor a group by a next hop. If the kernel cannot store a weight,
// Replace restores the old object, and the error is errors.ErrUnsupported.
func Replace(ctx context.Context, c route.Conn, n Object) error {
	if n.hasBigWeight() && n.ID != 0 {
		return replaceBigWeight(ctx, c, n)
	}
	_, err := write(ctx, c, verbReplace, netlink.Create|netlink.Replace, n)
	return err
}

// Delete deletes a nexthop object, as "ip nexthop del" does: RTM_DELNEXTHOP. The kernel
// also deletes the routes that refer to the object; for IPv4 routes it sends no event.
// It removes the object from its groups, and deletes a group that has no other member.
//
// The error is fs.ErrNotExist if there is no such object.
func Delete(ctx context.Context, c route.Conn, id uint32) error {
	err := ctx.Err()
	if err == nil {
		_, err = c.Execute(deleteRequest(id))
	}
	return verbError(verbDelete, &Object{ID: id, Family: route.IPv4}, nil, err)
}

// The verbs, as errors name them.
const (
	verbAdd     = "add"
	verbReplace = "replace"
	verbDelete  = "delete"
)

func deleteRequest(id uint32) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_DELNEXTHOP, Flags: netlink.Request | netlink.Acknowledge},
		Data:   attr.AppendU32(make([]byte, uapi.SizeofNhmsg, 16), uapi.NHA_ID, id),
	}
}

// Flush deletes the nexthop objects that f selects, groups first, as "ip nexthop flush"
// does, until there are none, and returns how many it deleted. Groups that the kernel
// deletes because their last member was deleted are not counted.
//
// The zero filter selects all objects. Every route that names one is deleted
// too.
func Flush(ctx context.Context, c route.Conn, f Filter) (n int, err error) {
	for {
		objects, err := List(ctx, c, f)
		if err != nil || len(objects) == 0 {
			return n, err
		}
		slices.SortStableFunc(objects, func(a, b Object) int {
			return min(len(b.Group), 1) - min(len(a.Group), 1)
		})
		reqs := make([]netlink.Message, len(objects))
		for i := range objects {
			reqs[i] = deleteRequest(objects[i].ID)
		}
		errs, err := rtnl.Send(c, reqs)
		if err != nil {
			return n, &rtnl.Error{Package: "nexthop", Verb: "flush", Err: err}
		}
		for i, err := range errs {
			err = verbError(verbDelete, &objects[i], nil, err)
			switch {
			case err == nil:
				n++
			case !errors.Is(err, fs.ErrNotExist): // deleted since the listing
				return n, err
			}
		}
	}
}

// write sends one request about n, and returns the ID of the object.
func write(ctx context.Context, c route.Conn, verb string, flags netlink.HeaderFlags, n Object,
) (id uint32, err error) {
	n.setDefaults()
	n.clearReported()
	var payload []byte
	if err = ctx.Err(); err == nil {
		err = n.Resilient.check()
	}
	if err == nil {
		payload, err = n.append(nil)
	}
	if err == nil {
		// The kernel wants NLA_F_NESTED on an encapsulation, and reports it
		// without.
		attr.MarkNested(payload[uapi.SizeofNhmsg:], uapi.NHA_ENCAP)
		id, err = send(c, flags, n.ID, payload)
	}
	return id, verbError(verb, &n, payload, err)
}

// maxTimer is the longest time that the kernel can hold: 2^32 of its ticks, of
// which a second has up to 1000. A longer time would overflow.
const maxTimer = math.MaxUint32 / 1000 * time.Second

// check refuses timers that the kernel would cut.
func (g *ResilientGroup) check() error {
	if d := g.IdleTimer.Or(0); d > maxTimer {
		return fmt.Errorf("IdleTimer: %v is longer than %v", d, maxTimer)
	}
	if d := g.UnbalancedTimer.Or(0); d > maxTimer {
		return fmt.Errorf("UnbalancedTimer: %v is longer than %v", d, maxTimer)
	}
	return nil
}

// send sends a request, and returns the ID of the object. It asks for an echo,
// which takes the place of the acknowledgement, only if it has to learn the ID.
func send(c route.Conn, flags netlink.HeaderFlags, id uint32, payload []byte) (uint32, error) {
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
	stored, err := decodeReplies(msgs)
	return stored.ID, err
}

// verbError says which verb failed on which object.
func verbError(verb string, n *Object, payload []byte, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{
		Package: "nexthop", Verb: verb, Object: n.String(), Err: err,
		// Not only attributes with a row: an encapsulation can be at fault.
		Attr: rtnl.AttrAt(err, payload, uapi.SizeofNhmsg, func(num uint16) string { return uapi.NHA(num).String() }),
	}
}
