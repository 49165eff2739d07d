package nexthop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
)

// maxByteWeight is the largest weight in the byte that all kernels read. A
// kernel that does not know the second byte ignores it, or says that it must be
// zero: a weight of 257 becomes 1.
const maxByteWeight = 256

// hasBigWeight reports whether a member has a weight that not every kernel
// knows.
func (n *Object) hasBigWeight() bool {
	return slices.ContainsFunc(n.Group, func(g Member) bool { return g.Weight > maxByteWeight })
}

// addBigWeight adds n, and deletes it if the kernel has stored other weights.
func addBigWeight(ctx context.Context, c route.Conn, n Object) (id uint32, err error) {
	id, err = write(ctx, c, verbAdd, netlink.Create|netlink.Excl, n)
	if err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // the check and the undo are part of the write
	if err := checkWeights(ctx, c, id, n); err != nil {
		return 0, verbError(verbAdd, &n, nil, errors.Join(err, Delete(ctx, c, id)))
	}
	return id, nil
}

// replaceBigWeight replaces the object with the ID of n by n, and restores the
// old object if the kernel has stored other weights.
func replaceBigWeight(ctx context.Context, c route.Conn, n Object) error {
	before, missing := Get(ctx, c, n.ID)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return verbError(verbReplace, &n, nil, missing)
	}
	if _, err := write(ctx, c, verbReplace, netlink.Create|netlink.Replace, n); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	err := checkWeights(ctx, c, n.ID, n)
	if err == nil {
		return nil
	}
	if missing != nil {
		return verbError(verbReplace, &n, nil, errors.Join(err, Delete(ctx, c, n.ID)))
	}
	_, undo := write(ctx, c, verbReplace, netlink.Replace, before)
	return verbError(verbReplace, &n, nil, errors.Join(err, undo))
}

// checkWeights compares the group n with what the kernel has stored.
func checkWeights(ctx context.Context, c route.Conn, id uint32, n Object) error {
	n.setDefaults()
	got, err := Get(ctx, c, id)
	if err != nil {
		return err
	}
	if !slices.Equal(got.Group, n.Group) {
		return fmt.Errorf("the kernel does not know a weight above %d: %w", maxByteWeight, errors.ErrUnsupported)
	}
	return nil
}
