package nft

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Conn is a socket of NETLINK_NETFILTER, such as [Dial] returns.
type Conn interface {
	rtnl.Executor
	rtnl.Transactor
}

// Dial opens a socket of NETLINK_NETFILTER. cfg is as for [rtnl.Dial]. All functions
// that take a [Conn] work in the network namespace of the socket, and need CAP_NET_ADMIN in
// it, those that read as well. The error is errors.ErrUnsupported if the kernel has no
// netfilter.
func Dial(cfg *netlink.Config) (*rtnl.Conn, error) {
	c, err := rtnl.DialNetfilter(cfg)
	return c, dialError(err)
}

// DialLike is [Dial] in the network namespace of c.
func DialLike(c rtnl.Executor) (*rtnl.Conn, error) {
	conn, err := rtnl.DialNetfilterLike(c)
	return conn, dialError(err)
}

func dialError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPROTONOSUPPORT):
		err = errors.Join(err, errors.ErrUnsupported)
	}
	return &rtnl.Error{Package: "nft", Verb: "dial", Err: err}
}

// ErrStale is the error of a batch that is based on a generation which is not that of the
// kernel any more. The batch has changed nothing.
var ErrStale = errors.New("the ruleset has changed since it was read")

var errNoHandle = errors.New("a rule is deleted by its handle, and this one has none")

// A RefusedError reports a batch that was refused. The kernel has changed nothing.
type RefusedError struct {
	// Refusals are the requests that were refused, at least one. The kernel looks at all
	// requests, and a refused one can be the reason for others.
	Refusals []Refusal
}

// A Refusal is a request of a batch that was refused.
type Refusal struct {
	Index  int    // of the request in the batch; -1 for the batch as a whole
	Verb   string // "add"
	Object string // in the words of nft(8)
	Attr   string // the kernel's name of the attribute at fault; empty if unknown
	Expr   int    // the number of the expression at fault, from 1 on; 0 if unknown
	Err    error  // usually a *netlink.OpError
}

// Error returns text like `nft: add "chain inet a b": file exists (NFTA_CHAIN_NAME)`.
func (e *RefusedError) Error() string {
	var lines []string
	for _, r := range e.Refusals {
		lines = append(lines, r.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the reason of the first refusal.
func (e *RefusedError) Unwrap() error { return rtnl.NotSent(e.Refusals[0].Err) }

// Error returns the text of one refusal.
func (r Refusal) Error() string {
	at := r.Attr
	if r.Expr > 0 {
		at = fmt.Sprintf("expression %d", r.Expr)
	}
	return (&rtnl.Error{Package: "nft", Verb: r.Verb, Object: r.Object, Attr: at, Err: r.Err}).Error()
}

// refused returns the error of a batch of which one request cannot be sent.
func refused(i int, r request, err error) error {
	return &RefusedError{[]Refusal{{Index: i, Verb: r.verb, Object: r.object, Err: err}}}
}

// Commit makes the changes of b, all or none. An empty batch changes nothing and sends
// nothing. The error is a *[RefusedError] or [ErrStale] if the kernel has changed nothing.
// After any other error it is unknown whether it has, unless rtnl.IsVerdict says that it
// has not.
func Commit(ctx context.Context, c Conn, b *Batch) error {
	if err := ctx.Err(); err != nil {
		return rtnl.NotSent(err)
	}
	if b.Len() == 0 {
		return nil
	}
	msgs, err := b.messages()
	if err != nil {
		return err
	}
	errs, err := c.Transact(msgs)
	if err != nil {
		return &rtnl.Error{Package: "nft", Verb: "commit", Err: err}
	}
	return b.verdict(errs)
}

// verdict returns the error for the answers to the messages of b.
func (b *Batch) verdict(errs []error) error {
	var refusals []Refusal
	for i, err := range errs {
		switch {
		case err == nil:
		case i == 0 && errors.Is(err, errRestart):
			return &RefusedError{[]Refusal{{Index: -1, Verb: "commit", Err: errors.Join(ErrStale, err)}}}
		case i == 0 || i > len(b.requests):
			refusals = append(refusals, Refusal{Index: -1, Verb: "commit", Err: err})
		default:
			refusals = append(refusals, b.refusal(i-1, err))
		}
	}
	if len(refusals) == 0 {
		return nil
	}
	return &RefusedError{refusals}
}

// refusal returns the refusal of request i.
func (b *Batch) refusal(i int, err error) Refusal {
	r := b.requests[i]
	refusal := Refusal{Index: i, Verb: r.verb, Object: r.object, Err: err}
	var op *netlink.OpError
	if !errors.As(err, &op) {
		return refusal
	}
	off := op.Offset - uapi.SizeofNlMsghdr - uapi.SizeofNfgenmsg
	num, ok := attr.At(r.payload, off)
	if !ok {
		return refusal
	}
	refusal.Attr = attrName(r.typ, num)
	if r.typ == uapi.NFT_MSG_NEWRULE && uapi.NFTARule(num) == uapi.NFTA_RULE_EXPRESSIONS {
		refusal.Expr = expressionAt(r.payload, off)
	}
	return refusal
}

// attrName returns the kernel's name of an attribute of a request.
func attrName(typ uint8, num uint16) string {
	switch typ {
	case uapi.NFT_MSG_NEWTABLE, uapi.NFT_MSG_DELTABLE:
		return uapi.NFTATable(num).String()
	case uapi.NFT_MSG_NEWCHAIN, uapi.NFT_MSG_DELCHAIN:
		return uapi.NFTAChain(num).String()
	case uapi.NFT_MSG_NEWRULE, uapi.NFT_MSG_DELRULE:
		return uapi.NFTARule(num).String()
	case uapi.NFT_MSG_NEWSET, uapi.NFT_MSG_DELSET:
		return uapi.NFTASet(num).String()
	}
	return uapi.NFTASetElemList(num).String()
}

// expressionAt returns the number of the expression that the byte at an offset of a rule
// belongs to, from 1 on, or 0.
func expressionAt(payload []byte, off int) int {
	pos := 0
	for num, p := range attr.All(payload) {
		start := pos + attr.LenHeader
		pos = start + (len(p)+3)&^3
		if off >= pos || uapi.NFTARule(num&attr.TypeMask) != uapi.NFTA_RULE_EXPRESSIONS {
			continue
		}
		n := 0
		for _, member := range attr.All(p) {
			n++
			start += attr.LenHeader + (len(member)+3)&^3
			if off < start {
				return n
			}
		}
	}
	return 0
}
