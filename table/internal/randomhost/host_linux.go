package randomhost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rule"
)

// A Host is a network namespace in which commands run.
type Host struct {
	Conn  *route.Socket
	names route.Names // of the interfaces
	stale bool        // names are out of date
}

// Do calls fn on a thread of its own, which has no other use, so that fn can change the
// network namespace of the thread.
func Do(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // until the end of the goroutine, which ends the thread too
		done <- fn()
	}()
	return <-done
}

// Enter makes a network namespace, moves the calling thread there, and runs commands in it.
// The namespace is gone when the thread has another one, or ends, and the Host is closed. The
// caller must be in [Do].
//
// Refused are the commands that the kernel refuses. Random ones may be.
func Enter(ctx context.Context, commands []string) (h *Host, refused []error, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, nil, fmt.Errorf("randomhost: make a network namespace: %w", err)
	}
	conn, err := route.Dial(nil)
	if err != nil {
		return nil, nil, err
	}
	h = &Host{Conn: conn, stale: true}
	for _, c := range commands {
		if err := h.Run(ctx, c); err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", c, err))
		}
	}
	return h, refused, nil
}

// Close closes the socket of the host.
func (h *Host) Close() error { return h.Conn.Close() }

// Names returns the names of the interfaces.
func (h *Host) Names(ctx context.Context) (*route.Names, error) {
	if h.stale {
		links, err := route.ListLinks(ctx, h.Conn)
		if err != nil {
			return nil, err
		}
		h.names, h.stale = route.Names{Links: links}, false
	}
	return &h.names, nil
}

// Index returns the index of an interface, zero if there is none.
func (h *Host) Index(ctx context.Context, name string) uint32 {
	names, err := h.Names(ctx)
	if err != nil {
		return 0
	}
	index, _ := names.Links.Index(name)
	return index
}

// Run runs a command.
func (h *Host) Run(ctx context.Context, command string) error {
	object, rest, _ := strings.Cut(command, " ")
	verb, args, _ := strings.Cut(rest, " ")
	switch object {
	case "sysctl":
		return writeSysctl(rest)
	case "settle":
		return h.settle(ctx)
	case "link":
		h.stale = true
		return h.link(ctx, verb, strings.Fields(args))
	case "address":
		return h.address(ctx, verb, strings.Fields(args))
	case "neighbour":
		return h.neighbour(ctx, strings.Fields(args))
	case "nexthop":
		return h.nexthop(ctx, args)
	case "route":
		return h.route(ctx, verb, args)
	case "rule":
		return h.rule(ctx, verb, args)
	}
	return fmt.Errorf("randomhost: no command %s", object)
}

// writeSysctl sets a parameter: KEY=VALUE.
func writeSysctl(setting string) error {
	key, value, _ := strings.Cut(setting, "=")
	f, err := os.OpenFile("/proc/sys/"+strings.ReplaceAll(key, ".", "/"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (h *Host) rule(ctx context.Context, verb, args string) error {
	r, err := rule.Parse(args, nil)
	if err != nil {
		return err
	}
	if verb == "del" {
		return rule.Delete(ctx, h.Conn, r)
	}
	return rule.Add(ctx, h.Conn, r)
}

func (h *Host) route(ctx context.Context, verb, args string) error {
	names, err := h.Names(ctx)
	if err != nil {
		return err
	}
	r, err := route.Parse(args, names)
	if err != nil {
		return err
	}
	switch verb {
	case "del":
		return route.Delete(ctx, h.Conn, r)
	case "append":
		return route.Append(ctx, h.Conn, r)
	case "prepend":
		return route.Prepend(ctx, h.Conn, r)
	}
	return route.Add(ctx, h.Conn, r)
}

func (h *Host) nexthop(ctx context.Context, args string) error {
	names, err := h.Names(ctx)
	if err != nil {
		return err
	}
	n, err := nexthop.Parse(args, names)
	if err != nil {
		return err
	}
	_, err = nexthop.Add(ctx, h.Conn, n)
	return err
}

// send sends a request that changes something.
func (h *Host) send(typ uint16, flags netlink.HeaderFlags, header []byte, attrs *netlink.AttributeEncoder) error {
	b, err := attrs.Encode()
	if err != nil {
		return err
	}
	_, err = h.Conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(typ), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(header, b...),
	})
	return err
}

// settle waits until the kernel has acted on the carriers of all interfaces, and has added the
// routes of all IPv6 addresses, which it does some time after they change.
func (h *Host) settle(ctx context.Context) error {
	for range 300 {
		links, err := route.ListLinks(ctx, h.Conn)
		if err != nil {
			return err
		}
		settled := true
		for index := range links.All() {
			flags := links.Flags(index)
			carrier, running := flags&uapi.IFF_LOWER_UP != 0, flags&uapi.IFF_RUNNING != 0
			settled = settled && (flags&uapi.IFF_UP == 0 || carrier == running)
		}
		tentative, err := h.hasTentative(links)
		if err != nil {
			return err
		}
		if settled && !tentative {
			// The kernel adds the routes with the lock that this request waits for.
			_, err := route.LinkIndex(ctx, h.Conn, "lo")
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("interfaces and addresses do not settle")
}

// hasTentative reports whether an interface that is up has a tentative address.
func (h *Host) hasTentative(links *route.Links) (bool, error) {
	msgs, err := h.Conn.Execute(netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETADDR, Flags: netlink.Request | netlink.Dump}, Data: make([]byte, uapi.SizeofIfAddrmsg),
	})
	for _, m := range msgs {
		b := m.Data
		if len(b) >= uapi.SizeofIfAddrmsg && b[uapi.IfAddrmsgFlags]&uapi.IFA_F_TENTATIVE != 0 &&
			links.Flags(binary.NativeEndian.Uint32(b[uapi.IfAddrmsgIndex:]))&uapi.IFF_UP != 0 {
			return true, err
		}
	}
	return false, err
}

// link runs "link add NAME type KIND [table N] [peer NAME]" and "link set NAME WORD…".
func (h *Host) link(ctx context.Context, verb string, args []string) error {
	name, args := args[0], args[1:]
	header := make([]byte, uapi.SizeofIfInfomsg)
	attrs := netlink.NewAttributeEncoder()
	if verb == "add" {
		attrs.String(uapi.IFLA_IFNAME, name)
		attrs.Nested(uapi.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error { return linkInfo(info, args) })
		return h.send(uapi.RTM_NEWLINK, netlink.Create|netlink.Excl, header, attrs)
	}
	index := h.Index(ctx, name)
	if index == 0 {
		return fmt.Errorf("no interface %s", name)
	}
	put32 := func(at int, n uint32) { *(*[4]byte)(header[at:]) = native(n) }
	put32(uapi.IfInfomsgIndex, index)
	for i := 0; i < len(args); i++ {
		switch word := args[i]; word {
		case "up", "down":
			put32(uapi.IfInfomsgChange, uapi.IFF_UP)
			if word == "up" {
				put32(uapi.IfInfomsgFlags, uapi.IFF_UP)
			}
			continue
		case "group":
			n, err := strconv.ParseUint(args[i+1], 10, 32)
			if err != nil {
				return err
			}
			attrs.Uint32(uapi.IFLA_GROUP, uint32(n))
		case "master":
			attrs.Uint32(uapi.IFLA_MASTER, h.Index(ctx, args[i+1]))
		case "address":
			mac, err := net.ParseMAC(args[i+1])
			if err != nil {
				return err
			}
			attrs.Bytes(uapi.IFLA_ADDRESS, mac)
		}
		i++
	}
	return h.send(uapi.RTM_NEWLINK, 0, header, attrs)
}

// linkInfo encodes "type KIND [table N] [peer NAME]".
func linkInfo(info *netlink.AttributeEncoder, args []string) error {
	info.String(uapi.IFLA_INFO_KIND, args[1])
	if len(args) < 4 {
		return nil
	}
	info.Nested(uapi.IFLA_INFO_DATA, func(data *netlink.AttributeEncoder) error {
		if args[2] == "table" {
			n, err := strconv.ParseUint(args[3], 10, 32)
			data.Uint32(uapi.IFLA_VRF_TABLE, uint32(n))
			return err
		}
		data.Do(1 /* VETH_INFO_PEER */, func() ([]byte, error) {
			peer := netlink.NewAttributeEncoder()
			peer.String(uapi.IFLA_IFNAME, args[3])
			b, err := peer.Encode()
			return append(make([]byte, uapi.SizeofIfInfomsg), b...), err
		})
		return nil
	})
	return nil
}

// address runs "address add|del PREFIX [peer PREFIX] dev NAME [scope N] [noprefixroute] [deprecated]".
func (h *Host) address(ctx context.Context, verb string, args []string) error {
	prefix, err := netip.ParsePrefix(args[0])
	if err != nil {
		return err
	}
	header := make([]byte, uapi.SizeofIfAddrmsg)
	attrs := netlink.NewAttributeEncoder()
	family := route.FamilyOf(prefix.Addr())
	header[uapi.IfAddrmsgFamily], header[uapi.IfAddrmsgPrefixlen] = byte(family), byte(prefix.Bits())
	attrs.Bytes(uapi.IFA_LOCAL, prefix.Addr().AsSlice())
	flags := uint32(0)
	peer := prefix.Addr()
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "dev":
			i++
			*(*[4]byte)(header[uapi.IfAddrmsgIndex:]) = native(h.Index(ctx, args[i]))
		case "peer":
			i++
			p, err := netip.ParsePrefix(args[i])
			if err != nil {
				return err
			}
			peer, header[uapi.IfAddrmsgPrefixlen] = p.Addr(), byte(p.Bits())
		case "scope":
			i++
			n, err := strconv.ParseUint(args[i], 10, 8)
			if err != nil {
				return err
			}
			header[uapi.IfAddrmsgScope] = byte(n)
		case "noprefixroute":
			flags |= uapi.IFA_F_NOPREFIXROUTE
		case "deprecated":
			// A preferred lifetime of 0, and a valid one without end.
			attrs.Bytes(uapi.IFA_CACHEINFO, append([]byte{0, 0, 0, 0, 255, 255, 255, 255}, make([]byte, 8)...))
		case "broadcast":
			i++
			b, err := netip.ParseAddr(args[i])
			if err != nil {
				return err
			}
			attrs.Bytes(uapi.IFA_BROADCAST, b.AsSlice())
		}
	}
	attrs.Bytes(uapi.IFA_ADDRESS, peer.AsSlice())
	if flags != 0 {
		attrs.Uint32(uapi.IFA_FLAGS, flags)
	}
	if verb == "del" {
		return h.send(uapi.RTM_DELADDR, 0, header, attrs)
	}
	return h.send(uapi.RTM_NEWADDR, netlink.Create|netlink.Excl, header, attrs)
}

// neighbourStates are the states that a command can set.
var neighbourStates = map[string]uint16{
	"permanent": uapi.NUD_PERMANENT, "stale": uapi.NUD_STALE, "failed": uapi.NUD_FAILED, "noarp": uapi.NUD_NOARP,
}

// neighbour runs "neighbour add ADDRESS dev NAME nud STATE".
func (h *Host) neighbour(ctx context.Context, args []string) error {
	a, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	header := make([]byte, uapi.SizeofNdMsg)
	attrs := netlink.NewAttributeEncoder()
	header[uapi.NdMsgFamily] = byte(route.FamilyOf(a))
	*(*[4]byte)(header[uapi.NdMsgIndex:]) = native(h.Index(ctx, args[2]))
	state := neighbourStates[args[4]]
	*(*[2]byte)(header[uapi.NdMsgState:]) = native16(state)
	attrs.Bytes(uapi.NDA_DST, a.AsSlice())
	if state&uapi.NUD_FAILED == 0 {
		attrs.Bytes(uapi.NDA_LLADDR, []byte{2, 0, 0, 0, 0, 9})
	}
	return h.send(uapi.RTM_NEWNEIGH, netlink.Create|netlink.Replace, header, attrs)
}
