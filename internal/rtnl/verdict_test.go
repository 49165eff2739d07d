package rtnl_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
)

// Only the kernel's refusal says that a request was not done, and what was not sent.
func TestIsVerdict(t *testing.T) {
	of := func(op string, err error) error {
		return &rtnl.Error{Package: "rule", Verb: "add", Err: &netlink.OpError{Op: op, Err: err}}
	}
	for _, err := range []error{
		of("receive", syscall.EEXIST), of("receive", syscall.EINVAL), of("receive", syscall.EPERM),
		syscall.ESRCH, fmt.Errorf("no such rule: %w", fs.ErrNotExist), rtnl.NotSent(syscall.EIO),
	} {
		if !rtnl.IsVerdict(err) {
			t.Errorf("%v: it leaves open whether the request was done", err)
		}
	}
	for _, err := range []error{
		of("receive", syscall.EIO), of("receive", syscall.ENOMEM), of("receive", syscall.ENOBUFS),
		of("receive", os.NewSyscallError("read", syscall.EINVAL)), of("receive", rtnl.ErrLostReply), of("receive", os.ErrDeadlineExceeded),
		of("receive", net.ErrClosed), of("send", syscall.EPERM), context.Canceled, errors.New("unknown"),
	} {
		if rtnl.IsVerdict(err) {
			t.Errorf("%v: it says that the request was not done", err)
		}
	}
}
