package route

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/mdlayher/netlink"
)

// maxOldWeight is what fits into the byte that all kernels look at. A kernel
// that does not know the other byte ignores it, or says that it must be zero:
// of a weight of 257 it makes 1.
const maxOldWeight = 256

// heavy reports whether a member has a weight that not every kernel knows.
func (n *NextHopObject) heavy() bool {
	return slices.ContainsFunc(n.Group, func(g GroupMember) bool { return g.Weight > maxOldWeight })
}

// addHeavy adds n, and deletes it if the kernel made another group of it.
func addHeavy(ctx context.Context, c Conn, n NextHopObject) (id uint32, err error) {
	const verb = "add nexthop"
	id, err = writeObject(ctx, c, verb, netlink.Create|netlink.Excl, n)
	if err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // what was begun ends
	if err := checkWeights(ctx, c, id, n); err != nil {
		return 0, objectError(verb, &n, nil, errors.Join(err, DeleteNextHop(ctx, c, id)))
	}
	return id, nil
}

// replaceHeavy puts n in the place of the object with its ID, and that one back
// if the kernel made another group of n.
func replaceHeavy(ctx context.Context, c Conn, n NextHopObject) error {
	const verb = "replace nexthop"
	before, missing := GetNextHop(ctx, c, n.ID)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return objectError(verb, &n, nil, missing)
	}
	if _, err := writeObject(ctx, c, verb, netlink.Create|netlink.Replace, n); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	err := checkWeights(ctx, c, n.ID, n)
	if err == nil {
		return nil
	}
	if missing != nil {
		return objectError(verb, &n, nil, errors.Join(err, DeleteNextHop(ctx, c, n.ID)))
	}
	_, undo := writeObject(ctx, c, verb, netlink.Replace, before)
	return objectError(verb, &n, nil, errors.Join(err, undo))
}

// checkWeights compares n with what the kernel has.
func checkWeights(ctx context.Context, c Conn, id uint32, n NextHopObject) error {
	n.setDefaults()
	got, err := GetNextHop(ctx, c, id)
	if err != nil {
		return err
	}
	if !slices.Equal(got.Group, n.Group) {
		return fmt.Errorf("the kernel does not know a weight above %d: %w", maxOldWeight, errors.ErrUnsupported)
	}
	return nil
}
