package route

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Links are the interfaces of a network namespace at one moment: their names and
// flags. Routes refer to interfaces by index; text uses names. A nil *Links has
// no interfaces; its name for the interface with the index 5 is if5, as in ip(8).
type Links struct {
	byIndex map[uint32]linkState
	byName  map[string]uint32
}

// A linkState is the name and the flags of an interface.
type linkState struct {
	name  string
	flags uint32
}

// MakeLinks returns interfaces that have the given names, by index, and no flags.
// If two have the same name, the name stands for the one with the lower index.
func MakeLinks(names map[uint32]string) *Links {
	l := newLinks(len(names))
	for _, index := range slices.Backward(slices.Sorted(maps.Keys(names))) {
		l.add(index, linkState{name: names[index]})
	}
	return l
}

func newLinks(size int) *Links {
	return &Links{byIndex: make(map[uint32]linkState, size), byName: make(map[string]uint32, size)}
}

func (l *Links) add(index uint32, x linkState) {
	l.byIndex[index], l.byName[x.name] = x, index
}

// LinkIndex returns the index of the interface with a name, in the namespace that c is
// in (RTM_GETLINK). The error is fs.ErrNotExist if there is no such interface. As in
// [Links], an alternative name (ip link property) is no name.
func LinkIndex(ctx context.Context, c Conn, name string) (uint32, error) {
	index, err := linkIndex(ctx, c, name)
	if err != nil {
		return 0, &rtnl.Error{Package: "route", Verb: "get link", Object: name, Err: err}
	}
	return index, nil
}

func linkIndex(ctx context.Context, c Conn, name string) (uint32, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if name == "" || len(name) > maxLinkName {
		return 0, fmt.Errorf("no name of an interface: want 1 to %d bytes: %w", maxLinkName, fs.ErrNotExist)
	}
	msgs, err := rtnl.Replies(c, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request},
		Data:   attr.Append(linkRequest(), uapi.IFLA_IFNAME, append([]byte(name), 0)),
	})
	switch {
	case errors.Is(err, syscall.ENODEV):
		return 0, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case err != nil:
		return 0, err
	case len(msgs) == 0:
		return 0, rtnl.ErrLostReply
	}
	l := newLinks(1)
	if err := l.read(msgs[0].Data); err != nil {
		return 0, err
	}
	index, ok := l.byName[name]
	if !ok {
		return 0, fmt.Errorf("an alternative name of another: %w", fs.ErrNotExist)
	}
	return index, nil
}

// maxLinkName is the length of the longest name, IFNAMSIZ less one.
const maxLinkName = 15

// linkRequest returns what a request for interfaces begins with: without counters, which
// take the kernel long.
func linkRequest() []byte {
	return attr.Append(make([]byte, uapi.SizeofIfInfomsg), uapi.IFLA_EXT_MASK,
		binary.NativeEndian.AppendUint32(nil, uapi.RTEXT_FILTER_SKIP_STATS))
}

// ListLinks reads the interfaces of the namespace that c is in (RTM_GETLINK).
func ListLinks(ctx context.Context, c Conn) (*Links, error) {
	if err := ctx.Err(); err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "list links", Err: err}
	}
	l := newLinks(0)
	req := netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   linkRequest(),
	}
	for m, err := range rtnl.Dump(c, req) {
		if err == nil {
			err = l.read(m.Data)
		}
		if err != nil {
			return nil, &rtnl.Error{Package: "route", Verb: "list links", Err: err}
		}
	}
	return l, nil
}

// read reads index, flags and name from a message of type RTM_NEWLINK, which has
// some fifty attributes more.
func (l *Links) read(b []byte) error {
	if len(b) < uapi.SizeofIfInfomsg {
		return fmt.Errorf("%d bytes are no link message: its header has %d", len(b), uapi.SizeofIfInfomsg)
	}
	for num, payload := range attr.All(b[uapi.SizeofIfInfomsg:]) {
		if num == uapi.IFLA_IFNAME {
			l.add(binary.NativeEndian.Uint32(b[uapi.IfInfomsgIndex:]), linkState{
				name:  strings.TrimRight(string(payload), "\x00"),
				flags: binary.NativeEndian.Uint32(b[uapi.IfInfomsgFlags:]),
			})
			break
		}
	}
	return nil
}

// linkPrefix is what ip(8) puts before the index of an interface without a name.
const linkPrefix = "if"

// Name returns the name of the interface with an index, or if and the index.
func (l *Links) Name(index uint32) string {
	if l != nil {
		if x, ok := l.byIndex[index]; ok {
			return x.name
		}
	}
	return linkPrefix + iptext.Decimal(index)
}

// Flags returns the flags of the interface with an index (IFF_UP and the like, of
// ifi_flags). The flags are zero if l does not have the interface, or was made by
// [MakeLinks].
func (l *Links) Flags(index uint32) uint32 {
	if l == nil {
		return 0
	}
	return l.byIndex[index].flags
}

// Index returns the index of the interface with a name, or of if and a number.
func (l *Links) Index(name string) (index uint32, ok bool) {
	if l != nil {
		if index, ok = l.byName[name]; ok {
			return index, true
		}
	}
	digits, ok := strings.CutPrefix(name, linkPrefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	return iptext.Uint[uint32](digits, 32)
}

// All yields the index and the name of each interface, ordered by index.
func (l *Links) All() iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		if l == nil {
			return
		}
		for _, index := range slices.Sorted(maps.Keys(l.byIndex)) {
			if !yield(index, l.byIndex[index].name) {
				return
			}
		}
	}
}
