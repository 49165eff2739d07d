package nft

import (
	"context"
	"errors"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Change is a commit of any program.
type Change struct {
	Generation Generation // the new one, and who made it
	Port       uint32     // the netlink port of the socket that made it: see rtnl.Port
	// Objects are those that the commit added, changed or deleted. Each is named once,
	// however many of its rules or elements it was.
	Objects []Changed
}

// A Changed is an object of a [Change].
type Changed struct {
	Deleted bool
	Kind    Kind
	Family  Family
	Table   string
	Name    string // of a chain or set; for rules that of the chain, for elements that of the set
}

// String returns text like "deleted chain inet filter input".
func (c Changed) String() string {
	verb := "new "
	if c.Deleted {
		verb = "deleted "
	}
	if c.Kind == KindTable {
		return verb + object(c.Kind.String(), c.Family, c.Table)
	}
	return verb + object(c.Kind.String(), c.Family, c.Table, c.Name)
}

// A Kind is the kind of a [Changed].
type Kind uint8

// Kinds. KindOther is an object that this package has no type for.
const (
	KindTable Kind = iota + 1
	KindChain
	KindRule
	KindSet
	KindElement
	KindOther
)

// String returns the word of nft(8).
func (k Kind) String() string {
	switch k {
	case KindTable:
		return "table"
	case KindChain:
		return "chain"
	case KindRule:
		return "rule"
	case KindSet:
		return "set"
	case KindElement:
		return "element"
	}
	return "object"
}

// A Subscription receives the changes of a network namespace.
type Subscription struct {
	s    *rtnl.Subscription
	next Change // its notifications so far
	seen map[Changed]bool
}

// Subscribe opens a Subscription in the namespace of cfg, which can be nil. No change is
// missed after it returns. It needs CAP_NET_ADMIN.
func Subscribe(cfg *netlink.Config) (*Subscription, error) {
	s, err := rtnl.SubscribeNetfilter(cfg, uapi.NFNLGRP_NFTABLES)
	return newSubscription(s, err)
}

// SubscribeLike is [Subscribe] in the namespace of c.
func SubscribeLike(c rtnl.Executor) (*Subscription, error) {
	s, err := rtnl.SubscribeNetfilterLike(c, uapi.NFNLGRP_NFTABLES)
	return newSubscription(s, err)
}

func newSubscription(s *rtnl.Subscription, err error) (*Subscription, error) {
	if err != nil {
		return nil, &rtnl.Error{Package: "nft", Verb: "subscribe", Err: err}
	}
	return &Subscription{s: s}, nil
}

// Close ends the subscription.
func (s *Subscription) Close() error { return s.s.Close() }

// SetReadBuffer sets the size of the receive buffer in bytes.
func (s *Subscription) SetReadBuffer(bytes int) error { return s.s.SetReadBuffer(bytes) }

// Wait waits until [Subscription.Pending] has something to read.
func (s *Subscription) Wait(ctx context.Context) error { return s.s.Wait(ctx) }

// Receive waits for notifications, and calls fn for each change that is complete with
// them, perhaps for none. The error is that of ctx if ctx ends, [rtnl.ErrOverrun], after
// which changes are unknown and Receive can be called again, an error of fn, or a failure
// of the socket.
func (s *Subscription) Receive(ctx context.Context, fn func(Change) error) error {
	return s.forget(s.s.Receive(ctx, func(m netlink.Message) error { return s.message(m, fn) }))
}

// Pending calls fn for each change that has arrived. It does not wait for more. The errors
// are those of Receive.
func (s *Subscription) Pending(fn func(Change) error) error {
	return s.forget(s.s.Pending(func(m netlink.Message) error { return s.message(m, fn) }))
}

// forget drops an incomplete change if notifications were lost.
func (s *Subscription) forget(err error) error {
	if errors.Is(err, rtnl.ErrOverrun) {
		s.next, s.seen = Change{}, nil
	}
	return err
}

// message adds a notification to the next change. NFT_MSG_NEWGEN completes it.
func (s *Subscription) message(m netlink.Message, fn func(Change) error) error {
	if m.Header.Type>>8 != uapi.NFNL_SUBSYS_NFTABLES || len(m.Data) < uapi.SizeofNfgenmsg {
		return nil
	}
	typ := uint8(m.Header.Type)
	attrs := m.Data[uapi.SizeofNfgenmsg:]
	if typ != uapi.NFT_MSG_NEWGEN {
		if c, ok := decodeChanged(typ, Family(m.Data[uapi.NfgenmsgFamily]), attrs); ok && !s.seen[c] {
			if s.seen == nil {
				s.seen = make(map[Changed]bool)
			}
			s.seen[c] = true
			s.next.Objects = append(s.next.Objects, c)
		}
		return nil
	}
	change := s.next
	s.next, s.seen = Change{}, nil
	change.Port = m.Header.PID
	if err := generationCodec.Decode(attrs, &change.Generation); err != nil {
		return err
	}
	return fn(change)
}

// decodeChanged reads the names in a notification.
func decodeChanged(typ uint8, f Family, attrs []byte) (Changed, bool) {
	c := Changed{Family: f}
	var name uint16 // the attribute; that of the table is the same for all but tables
	switch typ {
	case uapi.NFT_MSG_NEWTABLE, uapi.NFT_MSG_DELTABLE:
		c.Kind, c.Deleted = KindTable, typ == uapi.NFT_MSG_DELTABLE
	case uapi.NFT_MSG_NEWCHAIN, uapi.NFT_MSG_DELCHAIN:
		c.Kind, c.Deleted, name = KindChain, typ == uapi.NFT_MSG_DELCHAIN, uint16(uapi.NFTA_CHAIN_NAME)
	case uapi.NFT_MSG_NEWRULE, uapi.NFT_MSG_DELRULE:
		c.Kind, c.Deleted, name = KindRule, typ == uapi.NFT_MSG_DELRULE, uint16(uapi.NFTA_RULE_CHAIN)
	case uapi.NFT_MSG_NEWSET, uapi.NFT_MSG_DELSET:
		c.Kind, c.Deleted, name = KindSet, typ == uapi.NFT_MSG_DELSET, uint16(uapi.NFTA_SET_NAME)
	case uapi.NFT_MSG_NEWSETELEM, uapi.NFT_MSG_DELSETELEM:
		c.Kind, c.Deleted, name = KindElement, typ == uapi.NFT_MSG_DELSETELEM, uint16(uapi.NFTA_SET_ELEM_LIST_SET)
	case uapi.NFT_MSG_NEWOBJ, uapi.NFT_MSG_DELOBJ, uapi.NFT_MSG_NEWFLOWTABLE, uapi.NFT_MSG_DELFLOWTABLE:
		c.Kind, name = KindOther, uint16(uapi.NFTA_SET_NAME)
		c.Deleted = typ == uapi.NFT_MSG_DELOBJ || typ == uapi.NFT_MSG_DELFLOWTABLE
	default:
		return c, false
	}
	c.Table = nameIn(attrs, uint16(uapi.NFTA_TABLE_NAME))
	if name != 0 {
		c.Name = nameIn(attrs, name)
	}
	return c, true
}

// nameIn returns the name in an attribute, or "".
func nameIn(attrs []byte, num uint16) string {
	p, _ := attr.First(attrs, num)
	s, _ := text[string]().Decode(p)
	return s
}

// Watch subscribes to changes, and returns them. The subscription ends with the loop, or
// with ctx, whose error is then the last value. [rtnl.ErrOverrun] is yielded and does not end it.
func Watch(ctx context.Context, cfg *netlink.Config) (iter.Seq2[Change, error], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := Subscribe(cfg)
	if err != nil {
		return nil, err
	}
	// The result may never be used in a loop.
	stop := context.AfterFunc(ctx, func() { s.Close() })
	return func(yield func(Change, error) bool) {
		defer s.Close()
		defer stop()
		more := true
		for more {
			err := s.Receive(ctx, func(c Change) error {
				more = more && yield(c, nil)
				return nil
			})
			switch {
			case !more || err == nil:
			case ctx.Err() != nil:
				yield(Change{}, ctx.Err())
				return
			default:
				more = yield(Change{}, err) && errors.Is(err, rtnl.ErrOverrun)
			}
		}
	}, nil
}
