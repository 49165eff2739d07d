package conntrack

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Conn is a socket of NETLINK_NETFILTER, such as rtnl.DialNetfilter returns. All
// functions need CAP_NET_ADMIN in its network namespace.
type Conn interface {
	rtnl.Executor
}

func message(typ uint8, flags netlink.HeaderFlags, f Family, attrs []byte) netlink.Message {
	data := make([]byte, uapi.SizeofNfgenmsg, uapi.SizeofNfgenmsg+len(attrs))
	data[uapi.NfgenmsgFamily] = uint8(f)
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(uapi.NFNL_SUBSYS_CTNETLINK<<8 | int(typ)),
			Flags: flags | netlink.Request,
		},
		Data: append(data, attrs...),
	}
}

// All yields the entries that f selects, as the kernel sends them, without collecting them.
// An error is the last value. Entries that come or go during the listing may be in it or
// not, and an entry can come twice.
func All(ctx context.Context, c Conn, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := ctx.Err()
		if err == nil {
			req := message(uapi.IPCTNL_MSG_CT_GET, netlink.Dump, f.Family, f.appendAttrs(nil))
			for m, failure := range rtnl.Dump(c, req) {
				var e Entry
				if err = failure; err == nil {
					e, err = decode(m)
				}
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					break
				}
				if f.Match(&e) && !yield(e, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(Entry{}, &rtnl.Error{Package: "conntrack", Verb: "list", Err: err})
		}
	}
}

var errShort = errors.New("a message is shorter than its header")

// decode reads the entry in a message.
func decode(m netlink.Message) (e Entry, err error) {
	if len(m.Data) < uapi.SizeofNfgenmsg {
		return e, errShort
	}
	err = entryCodec.Decode(m.Data[uapi.SizeofNfgenmsg:], &e)
	e.Family = Family(m.Data[uapi.NfgenmsgFamily])
	return e, err
}

// List returns the entries that f selects. See [All].
func List(ctx context.Context, c Conn, f Filter) ([]Entry, error) {
	var entries []Entry
	for e, err := range All(ctx, c, f) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// errNoTuple is the error of a request that would delete all entries.
var errNoTuple = errors.New("the entry has no addresses of its original direction")

// deletion returns the request to delete an entry. It has no more than identifies the entry.
func deletion(e *Entry) (netlink.Message, error) {
	if !e.Original.Source.IsValid() || !e.Original.Dest.IsValid() || e.Original.Proto == 0 {
		return netlink.Message{}, errNoTuple
	}
	attrs, err := entryCodec.Append(nil, &Entry{Original: e.Original, Zone: e.Zone, ID: e.ID})
	return message(uapi.IPCTNL_MSG_CT_DELETE, netlink.Acknowledge, e.Family, attrs), err
}

// Delete deletes an entry, by its original tuple, its zone and, if it is not zero, its ID.
// The error is fs.ErrNotExist if there is none.
func Delete(ctx context.Context, c Conn, e Entry) error {
	req, err := deletion(&e)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		err = rtnl.NotSent(err)
	} else {
		_, err = c.Execute(req)
	}
	return deleteError(&e, err)
}

func deleteError(e *Entry, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{Package: "conntrack", Verb: "delete", Object: e.String(), Err: err}
}

// DeleteAll deletes the entries that f selects, and returns how many it deleted. Entries
// that are gone before their turn are neither counted nor an error. After a failure of the
// socket the number is unknown, and zero is returned.
func DeleteAll(ctx context.Context, c Conn, f Filter) (int, error) {
	entries, err := List(ctx, c, f)
	if err != nil {
		return 0, err
	}
	reqs := make([]netlink.Message, len(entries))
	for i := range entries {
		if reqs[i], err = deletion(&entries[i]); err != nil {
			return 0, deleteError(&entries[i], rtnl.NotSent(err))
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	errs, err := rtnl.Send(c, reqs)
	if err != nil {
		return 0, &rtnl.Error{Package: "conntrack", Verb: "delete", Err: err}
	}
	n := 0
	var failures []error
	for i, e := range errs {
		switch {
		case e == nil:
			n++
		case !errors.Is(e, fs.ErrNotExist):
			failures = append(failures, deleteError(&entries[i], e))
		}
	}
	return n, errors.Join(failures...)
}
