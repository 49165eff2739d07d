package rtnl_test

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

func TestKernelExecute(t *testing.T) {
	c := dial(t)
	short := rule(uapi.RTM_NEWRULE, ack|add, 2)
	short.Data = attr.Append(short.Data, uint16(uapi.FRA_TABLE), []byte{1, 2})
	long := rule(uapi.RTM_NEWRULE, ack|add, 3)
	long.Data = append(long.Data, make([]byte, 1<<20)...)
	tests := []struct {
		name  string
		req   netlink.Message
		is    error // nil: no error
		errno error
		msg   string
		attr  string
	}{
		{name: "add", req: rule(uapi.RTM_NEWRULE, ack|add, 1)},
		{name: "add again", req: rule(uapi.RTM_NEWRULE, ack|add, 1), is: fs.ErrExist, errno: unix.EEXIST},
		{name: "add without ack", req: rule(uapi.RTM_NEWRULE, add, 4)},
		{name: "add again without ack", req: rule(uapi.RTM_NEWRULE, add, 4), is: fs.ErrExist, errno: unix.EEXIST},
		{name: "backward", req: backward(ack), is: unix.EINVAL, errno: unix.EINVAL, msg: "Backward goto not supported"},
		{name: "backward without ack", req: backward(0), is: unix.EINVAL, errno: unix.EINVAL,
			msg: "Backward goto not supported"},
		{name: "short attribute", req: short, is: unix.ERANGE, errno: unix.ERANGE, msg: "Error parsing msg", attr: "FRA_TABLE"},
		{name: "too large", req: long, is: unix.EMSGSIZE, errno: unix.EMSGSIZE},
		{name: "add with the bits of a dump", req: rule(uapi.RTM_NEWRULE, add|netlink.Dump, 5)},
		{name: "delete the last", req: rule(uapi.RTM_DELRULE, ack, 5)},
		{name: "delete", req: rule(uapi.RTM_DELRULE, ack, 1)},
		{name: "delete again", req: rule(uapi.RTM_DELRULE, ack, 1), is: fs.ErrNotExist, errno: unix.ENOENT},
		{name: "delete without ack", req: rule(uapi.RTM_DELRULE, 0, 4)},
		{name: "missing route", req: route(uapi.RTM_DELROUTE, ack, 1), is: fs.ErrNotExist, errno: unix.ESRCH,
			msg: "FIB table does not exist"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msgs, err := c.Execute(tt.req)
			if len(msgs) != 0 {
				t.Errorf("%d messages, want none", len(msgs))
			}
			clean(t, c)
			if tt.is == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var op *netlink.OpError
			if !errors.As(err, &op) || !errors.Is(err, tt.errno) || op.Message != tt.msg {
				t.Fatalf("got %v, want %v with the message %q", err, tt.errno, tt.msg)
			}
			if err := error(&rtnl.Error{Err: err}); !errors.Is(err, tt.is) {
				t.Errorf("%v is not %q", err, tt.is)
			}
			name := func(n uint16) string { return uapi.FRA(n).String() }
			if got := rtnl.AttrAt(err, tt.req.Data, uapi.SizeofFibRuleHdr, name); got != tt.attr {
				t.Errorf("the refusal is about %q, want %q", got, tt.attr)
			}
		})
	}
	expect(t, "afterwards", numbers(t, c, ruleDump()), nil)
}

// The kernel answers an echoed request with what it stored, and with an
// acknowledgement where that is asked for too.
func TestKernelEcho(t *testing.T) {
	for _, flags := range []netlink.HeaderFlags{netlink.Echo, netlink.Echo | ack} {
		t.Run(flags.String(), func(t *testing.T) {
			c := dial(t)
			for _, req := range []netlink.Message{
				rule(uapi.RTM_NEWRULE, flags|add, 1), rule(uapi.RTM_DELRULE, flags, 1),
				route(uapi.RTM_NEWROUTE, flags|add, 1), route(uapi.RTM_DELROUTE, flags, 1),
			} {
				msgs, err := c.Execute(req)
				if err != nil || len(msgs) != 1 || msgs[0].Header.Type != req.Header.Type {
					t.Fatalf("type %d: got %v, %v, want the same once", req.Header.Type, msgs, err)
				}
				if got, want := msgs[0].Data[0], req.Data[0]; got != want {
					t.Errorf("type %d: echo of family %d, want %d", req.Header.Type, got, want)
				}
				clean(t, c)
			}
			if _, err := c.Execute(backward(flags)); !errors.Is(err, unix.EINVAL) {
				t.Errorf("refused: got %v, want EINVAL", err)
			}
			clean(t, c)
		})
	}
}

// A route that is replaced by the same one is not echoed: nothing was stored.
func TestKernelEchoOfNothing(t *testing.T) {
	report := testrun.Limit(t)
	c := dial(t)
	addRoutes(t, c, 1)
	for _, flags := range []netlink.HeaderFlags{netlink.Echo, netlink.Echo | ack} {
		msgs, err := c.Execute(route(uapi.RTM_NEWROUTE, flags|netlink.Create|netlink.Replace, 1))
		if err != nil || len(msgs) != 0 {
			report.Errorf("%v: got %v, %v, want neither message nor error", flags, msgs, err)
		}
		clean(t, c)
	}
}

// lookup asks for the route to an address.
func lookup(flags netlink.HeaderFlags, addr ...byte) netlink.Message {
	b := []byte{uapi.AF_INET, 32, 11: 0}
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request | flags},
		Data:   attr.Append(b, uint16(uapi.RTA_DST), addr),
	}
}

func TestKernelLookup(t *testing.T) {
	report := testrun.Limit(t)
	c := dial(t)
	for _, flags := range []netlink.HeaderFlags{0, ack} {
		msgs, err := c.Execute(lookup(flags, 127, 0, 0, 1))
		if err != nil || len(msgs) != 1 || msgs[0].Header.Type != uapi.RTM_NEWROUTE {
			report.Errorf("%v: got %v, %v, want one route", flags, msgs, err)
		}
		clean(t, c)
		if _, err := c.Execute(lookup(flags, 192, 0, 2, 1)); !errors.Is(err, unix.ENETUNREACH) {
			report.Errorf("%v: got %v, want ENETUNREACH", flags, err)
		}
		clean(t, c)
	}
}

// A thread without CAP_NET_ADMIN reads, and may change nothing.
func TestKernelPermission(t *testing.T) {
	c := dial(t)
	type result struct {
		write, read error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			done <- result{write: err}
			return
		}
		_, write := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, 1))
		_, read := c.Execute(ruleDump())
		done <- result{write, read}
	}()
	r := <-done
	if !errors.Is(r.write, fs.ErrPermission) {
		t.Errorf("write: got %v, want fs.ErrPermission", r.write)
	}
	if r.read != nil {
		t.Errorf("read: %v", r.read)
	}
	clean(t, c)
}

// A reply that somebody did not wait for is taken for no other request's.
func TestKernelStaleReplies(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	stale := func() {
		t.Helper()
		for _, req := range []netlink.Message{backward(0), backward(ack), lookup(0, 127, 0, 0, 1)} {
			if err := c.Forget(req); err != nil {
				t.Fatal(err)
			}
		}
	}
	stale()
	if msgs, err := c.Execute(rule(uapi.RTM_DELRULE, ack, 1)); err != nil || len(msgs) != 0 {
		t.Errorf("Execute: got %v, %v", msgs, err)
	}
	stale()
	if msgs, err := c.Execute(rule(uapi.RTM_DELRULE, 0, 2)); err != nil || len(msgs) != 0 {
		t.Errorf("Execute without an answer: got %v, %v", msgs, err)
	}
	stale()
	all(t, c, fill(10, func(i int) netlink.Message { return rule(uapi.RTM_DELRULE, 0, uint32(2+i)) }))
	stale()
	got, err := ours(t, c.Stream(ruleDump()), func(n int) {
		if n == 100 {
			stale()
		}
	})
	if err != nil {
		t.Errorf("Stream: %v", err)
	}
	expect(t, "Stream", got, upTo(many)[12:])
	if n := c.Left(); n != 3 {
		t.Errorf("%d datagrams are left in the socket, want the 3 stale ones", n)
	}
	clean(t, c)
}

func TestKernelSequenceWraps(t *testing.T) {
	c := dial(t)
	for n := range uint32(4) {
		c.WrapAfter(n)
		for range 6 {
			clean(t, c)
		}
		c.WrapAfter(n)
		addRules(t, c, 3)
		expect(t, "rules", numbers(t, c, ruleDump()), upTo(3))
		all(t, c, fill(3, func(i int) netlink.Message { return rule(uapi.RTM_DELRULE, 0, uint32(i)) }))
	}
}

func TestKernelDial(t *testing.T) {
	report := testrun.Limit(t)
	l := lab.Test(t)
	a, b := l.NS("a"), l.NS("b")
	c := dial(t, a)
	addRules(t, c, 3)
	expect(t, "in another namespace", numbers(t, dial(t, b), ruleDump()), nil)
	expect(t, "in the same namespace", numbers(t, dial(t, a), ruleDump()), upTo(3))

	taken, groups, closed := a.Config(), a.Config(), a.Config()
	taken.PID = c.Port()
	groups.Groups = 1
	closed.NetNS = 1 << 20
	for name, tt := range map[string]struct {
		cfg  *netlink.Config
		want error
	}{
		"port in use":   {taken, unix.EADDRINUSE},
		"groups":        {groups, nil},
		"not open":      {closed, unix.EBADF},
		"not namespace": {&netlink.Config{NetNS: notNamespace(t)}, unix.EINVAL},
	} {
		c, err := rtnl.Dial(tt.cfg)
		var op *netlink.OpError
		if !errors.As(err, &op) || op.Op != "dial" || tt.want != nil && !errors.Is(err, tt.want) {
			report.Errorf("%s: got %v, %v, want %v", name, c, err, tt.want)
		}
	}
	// Neither strict checking nor extended acknowledgements need be asked for.
	cfg := a.Config()
	cfg.Strict = false
	plain, err := rtnl.Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var op *netlink.OpError
	if _, err := plain.Execute(backward(ack)); !errors.As(err, &op) || op.Message == "" {
		report.Errorf("got %v, want the kernel's words", err)
	}
	bad := ruleDump()
	bad.Data[uapi.FibRuleHdrTable] = 1
	if _, err := plain.Execute(bad); !errors.Is(err, unix.EINVAL) {
		report.Errorf("a dump with a table in its header: got %v, want EINVAL, from strict checking", err)
	}
	if cfg.Strict {
		report.Error("Dial wrote to its Config")
	}
}

func notNamespace(t *testing.T) int {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

// A nil Config is the namespace of the calling thread.
func TestKernelDialNil(t *testing.T) {
	ns := lab.Test(t).NS("a")
	addRules(t, dial(t, ns), 3)
	err := ns.Do(func() error {
		c, err := rtnl.Dial(nil)
		if err != nil {
			return err
		}
		defer c.Close()
		expect(t, "in the thread's namespace", numbers(t, c, ruleDump()), upTo(3))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Another process that writes to our port, to claim that whatever we send next
// was refused or that the dump is over, is refused by the kernel.
func TestKernelForged(t *testing.T) {
	ns := lab.Test(t).NS("a")
	c := dial(t, ns)
	addRules(t, c, 3000)
	var fd int
	if err := ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	forge := func(seq uint32) {
		t.Helper()
		b := binary.NativeEndian.AppendUint32(nil, 36)
		b = binary.NativeEndian.AppendUint16(b, uint16(netlink.Error))
		b = append(b, 0, 0)
		b = binary.NativeEndian.AppendUint32(b, seq)
		b = binary.NativeEndian.AppendUint32(b, c.Port())
		b = append(b, 0xff, 0xff, 0xff, 0xff)     // -1, EPERM
		b = append(b, make([]byte, 36-len(b))...) // the request's header
		to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: c.Port()}
		if err := unix.Sendto(fd, b, 0, to); err != unix.ECONNREFUSED {
			t.Fatalf("writing to another process's port: %v, want ECONNREFUSED", err)
		}
	}
	c.WrapAfter(0) // so that the next sequence numbers are 1, 2, …
	forge(1)
	if _, err := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, 4000)); err != nil {
		t.Errorf("Execute took a forged answer for the kernel's: %v", err)
	}
	forge(2)
	var got []uint32
	for m, err := range c.Stream(ruleDump()) {
		if err != nil {
			t.Fatalf("Stream took a forged end for the kernel's: %v", err)
		}
		if n := number(t, m); n != 0 {
			got = append(got, n)
		}
		if len(got) == 100 {
			forge(2)
		}
	}
	expect(t, "dump", got, append(upTo(3000), 4000))
	forge(3)
	errs, err := c.Batch(fill(2, func(i int) netlink.Message { return rule(uapi.RTM_DELRULE, 0, uint32(i)) }))
	if err != nil || errors.Join(errs...) != nil {
		t.Errorf("Batch took a forged answer for the kernel's: %v, %v", errs, err)
	}
	clean(t, c)
}

func TestKernelClosed(t *testing.T) {
	c := dial(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var op *netlink.OpError
	closed := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, os.ErrClosed) || !errors.As(err, &op) {
			t.Errorf("%s: got %v, want os.ErrClosed", what, err)
		}
	}
	_, err := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, 1))
	closed("Execute", err)
	_, err = c.Batch([]netlink.Message{rule(uapi.RTM_NEWRULE, ack|add, 1)})
	closed("Batch", err)
	n := 0
	for _, err := range c.Stream(ruleDump()) {
		n++
		closed("Stream", err)
	}
	if n != 1 {
		t.Errorf("Stream yielded %d times, want once, the error", n)
	}
}
