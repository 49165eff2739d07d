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

// Links are the interfaces of a network namespace at one moment: their names and flags.
// Routes refer to interfaces by index; text uses names. A nil *Links has no interfaces:
// it names the interface with the index 5 if5, as ip(8) does.
//
// An interface has one name, and can have alternative names of up to 127 bytes (ip link
// property). Lookups accept each of these names. Text is printed with the one name.
type Links struct {
	byIndex map[uint32]linkState
	byName  map[string]uint32 // with alternative names, of which none is a name
}

// A linkState is the names and the flags of an interface.
type linkState struct {
	name     string
	altNames []string
	flags    uint32
}

// MakeLinks returns interfaces that have the given names, by index, and no flags. If
// two have the same name, ByName and Index find the one with the lower index.
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
	for _, name := range x.altNames {
		l.byName[name] = index
	}
}

// remove removes an interface, and the names that are still its own.
func (l *Links) remove(index uint32) {
	x := l.byIndex[index]
	for _, name := range append(x.altNames, x.name) {
		if l.byName[name] == index {
			delete(l.byName, name)
		}
	}
	delete(l.byIndex, index)
}

// Clone returns a copy, which [Links.Update] can change.
func (l *Links) Clone() *Links {
	return &Links{byIndex: maps.Clone(l.byIndex), byName: maps.Clone(l.byName)}
}

// Update applies an event of the group RTNLGRP_LINK to l. It returns the index of the
// interface, or zero if the message is not about an interface.
func (l *Links) Update(m netlink.Message) (index uint32, err error) {
	if m.Header.Type != uapi.RTM_NEWLINK && m.Header.Type != uapi.RTM_DELLINK {
		return 0, nil
	}
	index, x, err := readLink(m.Data)
	if err != nil || m.Data[uapi.IfInfomsgFamily] != uapi.AF_UNSPEC {
		return 0, err // a bridge's port, for example, is no interface that comes or goes
	}
	if m.Header.Type == uapi.RTM_DELLINK {
		l.remove(index)
	} else if x.name != "" {
		l.remove(index)
		l.add(index, x)
	}
	return index, nil
}

// Names returns the name and the alternative names of the interface with an index.
func (l *Links) Names(index uint32) []string {
	if l == nil || l.byIndex[index].name == "" {
		return nil
	}
	x := l.byIndex[index]
	return append([]string{x.name}, x.altNames...)
}

// LinkIndex returns the index of the interface with this name, or this alternative
// name, in the namespace of c (RTM_GETLINK). The error is fs.ErrNotExist if there is no
// such interface.
func LinkIndex(ctx context.Context, c Conn, name string) (uint32, error) {
	l, err := GetLink(ctx, c, name)
	if err != nil {
		return 0, err
	}
	index, _ := l.ByName(name)
	return index, nil
}

// GetLink returns Links with a single interface: the one with this name, or this
// alternative name, in the namespace of c (RTM_GETLINK). The error is fs.ErrNotExist if
// there is no such interface.
func GetLink(ctx context.Context, c Conn, name string) (*Links, error) {
	l, err := getLink(ctx, c, name)
	if err != nil {
		return nil, &rtnl.Error{Package: "route", Verb: "get link", Object: name, Err: err}
	}
	return l, nil
}

func getLink(ctx context.Context, c Conn, name string) (*Links, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if name == "" || len(name) > maxAltName {
		return nil, fmt.Errorf("not the name of an interface: want 1 to %d bytes: %w", maxAltName, fs.ErrNotExist)
	}
	num := uint16(uapi.IFLA_IFNAME) // the kernel also looks for an alternative name
	if len(name) > maxLinkName {
		num = uapi.IFLA_ALT_IFNAME
	}
	msgs, err := rtnl.Replies(c, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETLINK, Flags: netlink.Request},
		Data:   attr.Append(linkRequest(), num, append([]byte(name), 0)),
	})
	switch {
	case errors.Is(err, syscall.ENODEV), num == uapi.IFLA_ALT_IFNAME && lacksAltNames(err):
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case err != nil:
		return nil, err
	case len(msgs) == 0:
		return nil, rtnl.ErrLostReply
	}
	l := newLinks(1)
	if err := l.read(msgs[0].Data); err != nil {
		return nil, err
	}
	if _, ok := l.ByName(name); !ok {
		return nil, fmt.Errorf("the kernel answers with another interface: %w", fs.ErrNotExist)
	}
	return l, nil
}

// lacksAltNames reports whether a refusal is that of a kernel before Linux 5.5, which has
// no alternative names.
func lacksAltNames(err error) bool {
	running, ok := uapi.Running()
	return errors.Is(err, syscall.EINVAL) && ok && running.Less(uapi.Version{Major: 5, Minor: 5})
}

// maxLinkName is the length of the longest name, maxAltName that of the longest
// alternative name.
const (
	maxLinkName = uapi.IFNAMSIZ - 1
	maxAltName  = uapi.ALTIFNAMSIZ - 1
)

// linkRequest returns what a request for interfaces begins with: without counters, which
// take the kernel long.
func linkRequest() []byte {
	return attr.Append(make([]byte, uapi.SizeofIfInfomsg), uapi.IFLA_EXT_MASK,
		binary.NativeEndian.AppendUint32(nil, uapi.RTEXT_FILTER_SKIP_STATS))
}

// ListLinks reads the interfaces of the namespace of c (RTM_GETLINK).
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

// read adds the interface of a message of type RTM_NEWLINK.
func (l *Links) read(b []byte) error {
	index, x, err := readLink(b)
	if err == nil && x.name != "" {
		l.add(index, x)
	}
	return err
}

// readLink reads index, flags and names from a message of type RTM_NEWLINK, which has
// some fifty attributes more. It returns no name if the message does not have all names.
func readLink(b []byte) (index uint32, x linkState, err error) {
	if len(b) < uapi.SizeofIfInfomsg {
		return 0, x, fmt.Errorf("%d bytes are too short for a link message: its header alone has %d", len(b), uapi.SizeofIfInfomsg)
	}
	x.flags = binary.NativeEndian.Uint32(b[uapi.IfInfomsgFlags:])
	partial := false
	for num, payload := range attr.All(b[uapi.SizeofIfInfomsg:]) {
		switch num & attr.TypeMask {
		case uapi.IFLA_IFNAME:
			x.name = linkName(payload)
		case uapi.IFLA_WIRELESS:
			partial = true
		case uapi.IFLA_PROP_LIST:
			for num, name := range attr.All(payload) {
				if num&attr.TypeMask == uapi.IFLA_ALT_IFNAME {
					x.altNames = append(x.altNames, linkName(name))
				}
			}
		}
	}
	if partial {
		x = linkState{}
	}
	return binary.NativeEndian.Uint32(b[uapi.IfInfomsgIndex:]), x, nil
}

func linkName(payload []byte) string { return strings.TrimRight(string(payload), "\x00") }

// linkPrefix is what ip(8) puts before the index of an interface without a name.
const linkPrefix = "if"

// Name returns the name of the interface with this index. If there is none, it returns
// the word if with the index, such as if5.
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

// ByName returns the index of the interface with a name or an alternative name.
func (l *Links) ByName(name string) (index uint32, ok bool) {
	if l == nil {
		return 0, false
	}
	index, ok = l.byName[name]
	return index, ok
}

// Index returns the index of the interface with this name or this alternative name. It
// also accepts the word if with an index, such as if5.
func (l *Links) Index(name string) (index uint32, ok bool) {
	if index, ok = l.ByName(name); ok {
		return index, true
	}
	digits, ok := strings.CutPrefix(name, linkPrefix)
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false
	}
	return iptext.Uint[uint32](digits, 32)
}

// All yields the index and the name of each interface, ordered by index, without
// alternative names.
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
