package rtnl

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
)

// ErrLostReply is the error of a request that may or may not have been done.
var ErrLostReply = errors.New("the kernel's reply is missing from the receive queue")

// IsVerdict reports whether err says that a request was not done: it is the kernel's own
// refusal, or the request was not sent since it could not succeed. After any other error,
// such as that of a socket, the kernel may have done what it was asked.
func IsVerdict(err error) bool {
	for err != nil {
		switch e := err.(type) {
		case *netlink.OpError:
			if e.Op != "receive" {
				return false
			}
		case *os.SyscallError: // a refusal is not in one
			return false
		case syscall.Errno:
			return !isOfSocket(e)
		case *notSentError:
			return true
		}
		if err == fs.ErrExist || err == fs.ErrNotExist {
			return true
		}
		wrapper, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = wrapper.Unwrap()
	}
	return false
}

// isOfSocket reports whether sockets fail with an error number. The kernel may refuse a
// request with some of them as well, such as ENOMEM.
func isOfSocket(e syscall.Errno) bool {
	switch e {
	case syscall.EIO, syscall.EINTR, syscall.EAGAIN, syscall.ENOMEM, syscall.ENOBUFS, syscall.EBADF, syscall.EPIPE,
		syscall.ECANCELED, syscall.ETIMEDOUT, syscall.ENOTCONN, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED:
		return true
	}
	return false
}

// A notSentError is the error of a request that was not sent.
type notSentError struct{ err error }

// NotSent returns err for a request that was not sent, or not done. See [IsVerdict].
func NotSent(err error) error { return &notSentError{err} }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// An Error is the failure of a verb on an object.
type Error struct {
	Package string // the package of the verb: "rule"
	Verb    string // the word of ip(8): "add"
	Object  string // the object in the words of ip(8); empty for verbs without one
	Attr    string // the kernel's name of the attribute at fault; empty if unknown
	Err     error  // usually a *netlink.OpError
}

// Error returns text like `rule: add "from all goto 1": invalid argument: Backward goto not supported (FRA_GOTO)`.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Package + ": " + e.Verb)
	if e.Object != "" {
		b.WriteString(` "` + e.Object + `"`)
	}
	b.WriteString(": " + Reason(e.Err))
	if e.Attr != "" {
		b.WriteString(" (" + e.Attr + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports that ESRCH, the kernel's error for a missing route, is fs.ErrNotExist.
// ENOENT, its error for a missing rule, is that already.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && errors.Is(e.Err, syscall.ESRCH)
}

// Reason returns the text of err without what package netlink adds: the text of the
// error number, and the kernel's own words.
func Reason(err error) string {
	var op *netlink.OpError
	if !errors.As(err, &op) || op.Err == nil {
		return err.Error()
	}
	reason := op.Err.Error()
	if op.Message != "" {
		reason += ": " + op.Message
	}
	// Keep what wraps the OpError.
	return strings.Replace(err.Error(), op.Error(), reason, 1)
}

// AttrAt returns the name of the attribute of a request that a refusal points at, or
// "" if it points at none. The payload of the request starts with a header of fixed
// bytes; name returns the kernel's name of an attribute.
func AttrAt(err error, payload []byte, fixed int, name func(uint16) string) string {
	var op *netlink.OpError
	if !errors.As(err, &op) || len(payload) < fixed {
		return ""
	}
	num, ok := attr.At(payload[fixed:], op.Offset-headerLen-fixed)
	if !ok {
		return ""
	}
	return name(num)
}
