package rtnl_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Every tenth request is refused; the others are done.
func TestKernelBatch(t *testing.T) {
	report := testrun.Limit(t)
	for _, n := range []int{0, 1, 2, rtnl.MaxBatch - 1, rtnl.MaxBatch, rtnl.MaxBatch + 1, 1000} {
		c := dial(t)
		reqs := fill(n, func(i int) netlink.Message {
			if i%10 == 0 {
				return backward(netlink.Echo)
			}
			return rule(uapi.RTM_NEWRULE, ack|netlink.Echo, uint32(n+1-i))
		})
		before := slices.Clone(reqs)
		errs, err := c.Batch(reqs)
		if err != nil || len(errs) != n {
			t.Fatalf("%d requests: %d answers, error %v", n, len(errs), err)
		}
		var want []uint32
		for i, err := range errs {
			if (i+1)%10 != 0 {
				want = append(want, uint32(n-i))
				if err != nil {
					report.Errorf("%d requests: request %d: %v", n, i, err)
				}
				continue
			}
			var op *netlink.OpError
			if !errors.As(err, &op) || op.Err != unix.EINVAL || op.Message != "Backward goto not supported" {
				report.Errorf("%d requests: request %d: got %v, want the kernel's refusal", n, i, err)
			}
		}
		slices.Sort(want)
		expect(t, "rules", numbers(t, c, ruleDump()), want)
		clean(t, c)
		if diff := cmp.Diff(before, reqs); diff != "" {
			report.Errorf("Batch wrote to its argument (-before +after):\n%s", diff)
		}
	}
}

// The answers to 10,000 refused requests do not fit into the receive queue.
func TestKernelBatchAllRefused(t *testing.T) {
	c := dial(t)
	errs, err := c.Batch(fill(10_000, func(int) netlink.Message { return backward(0) }))
	if err != nil || len(errs) != 10_000 {
		t.Fatalf("%d answers, error %v", len(errs), err)
	}
	for i, err := range errs {
		if !errors.Is(err, unix.EINVAL) {
			t.Fatalf("request %d: got %v, want EINVAL", i, err)
		}
	}
	clean(t, c)
}

// Requests of all sizes: a send takes as many as fit, and one that is too large
// for the socket is refused in its place.
func TestKernelBatchOfLargeRequests(t *testing.T) {
	report := testrun.Limit(t)
	c := dial(t)
	const unknown = 0x3fff
	var reqs []netlink.Message
	var want []uint32
	for i, size := range []int{0, 60_000, 10_000, 65_000, 0, 65_000, 1 << 20, 0, 1 << 20, 65_000, 0} {
		req := rule(uapi.RTM_NEWRULE, add, uint32(i+1))
		for ; size > 0; size -= 65_000 {
			req.Data = attr.Append(req.Data, unknown, make([]byte, min(size, 65_000)))
		}
		reqs = append(reqs, req)
		if len(req.Data) < 1<<18 {
			want = append(want, uint32(i+1))
		}
	}
	errs, err := c.Batch(reqs)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if slices.Contains(want, uint32(i+1)) {
			if err != nil {
				report.Errorf("request %d: %v", i, err)
			}
		} else if !errors.Is(err, unix.EMSGSIZE) {
			report.Errorf("request %d: got %v, want EMSGSIZE", i, err)
		}
	}
	expect(t, "rules", numbers(t, c, ruleDump()), want)
	clean(t, c)
}

// With small buffers fewer requests go into a send, and none of them and of the
// answers are lost.
func TestKernelBatchSmallBuffers(t *testing.T) {
	for _, size := range []int{1, 4096, 20_000} {
		c := dial(t)
		if err := c.SetBuffers(size, size); err != nil {
			t.Fatal(err)
		}
		errs, err := c.Batch(fill(1000, func(int) netlink.Message { return backward(0) }))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for i, err := range errs {
			if !errors.Is(err, unix.EINVAL) {
				t.Fatalf("%d bytes: request %d: got %v, want EINVAL", size, i, err)
			}
		}
		clean(t, c)
	}
}

// A send that the socket finds too large is halved.
func TestKernelBatchHalved(t *testing.T) {
	c := dial(t)
	if err := c.SetBuffers(1<<20, 1); err != nil {
		t.Fatal(err)
	}
	c.Overdo()
	errs, err := c.Batch(fill(1000, func(i int) netlink.Message { return rule(uapi.RTM_NEWRULE, add, uint32(1001-i)) }))
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	if got := len(numbers(t, c, ruleDump())); got != 1000 {
		t.Errorf("%d rules, want 1000", got)
	}
	clean(t, c)
}

// With a receive queue that is too small for a batch the kernel drops answers,
// and goes on dropping until the queue is empty. That is an error, no hang, and
// the next request works.
func TestKernelQueueOverruns(t *testing.T) {
	c := dial(t)
	if err := c.SetBuffers(4096, 1<<20); err != nil {
		t.Fatal(err)
	}
	c.Overdo()
	_, err := c.Batch(fill(rtnl.MaxBatch, func(int) netlink.Message { return backward(0) }))
	var op *netlink.OpError
	if !errors.Is(err, unix.ENOBUFS) || !errors.As(err, &op) {
		t.Errorf("got %v, want ENOBUFS", err)
	}
	clean(t, c)
}

// Requests that are done are acknowledged once a send: the answers to a batch
// fit into a receive queue that has no room for one answer a request.
func TestKernelBatchAcknowledgedOnce(t *testing.T) {
	c := dial(t)
	if err := c.SetBuffers(4096, 1<<20); err != nil {
		t.Fatal(err)
	}
	c.Overdo()
	addRules(t, c, 3*rtnl.MaxBatch)
	expect(t, "rules", numbers(t, c, ruleDump()), upTo(3*rtnl.MaxBatch))
	clean(t, c)
}

// An executor is everything that answers requests; the two here are asked the
// same, and have to answer the same.
func TestKernelExecutorsAgree(t *testing.T) {
	l := lab.Test(t)
	plain, err := netlink.Dial(unix.NETLINK_ROUTE, l.NS("a").Config())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	want, got := ask(plain), ask(dial(t, l.NS("b")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("*netlink.Conn and *rtnl.Conn differ (-netlink +rtnl):\n%s", diff)
	}
	if len(want) != 12 || len(want[3].Data) < 2000 {
		t.Errorf("the answers are not what the test is about: %d", len(want))
	}
}

// An answer is what Replies, Dump or Send returned.
type answer struct {
	What  string
	Err   string
	Types []netlink.HeaderType
	Data  []string
	Errs  []string
}

// add adds a message without how long ago and how often its route was used.
func (a *answer) add(m netlink.Message) {
	data := m.Data[:12:12]
	for num, p := range attr.All(string(m.Data[12:])) {
		if m.Header.Type != uapi.RTM_NEWROUTE || num != uint16(uapi.RTA_CACHEINFO) {
			data = attr.Append(data, num, p)
		}
	}
	a.Types, a.Data = append(a.Types, m.Header.Type), append(a.Data, string(data))
}

// ask puts questions of all sorts to c.
func ask(c rtnl.Executor) (answers []answer) {
	reply := func(what string, req netlink.Message) {
		msgs, err := rtnl.Replies(c, req)
		a := answer{What: what, Err: text(err)}
		for _, m := range msgs {
			a.add(m)
		}
		answers = append(answers, a)
	}
	dump := func(what string, req netlink.Message) {
		a := answer{What: what}
		for m, err := range rtnl.Dump(c, req) {
			if err != nil {
				a.Err = text(err)
				continue
			}
			a.add(m)
		}
		answers = append(answers, a)
	}
	send := func(what string, reqs []netlink.Message) {
		errs, err := rtnl.Send(c, reqs)
		a := answer{What: what, Err: text(err)}
		for _, err := range errs {
			a.Errs = append(a.Errs, text(err))
		}
		answers = append(answers, a)
	}
	send("add", fill(2000, func(i int) netlink.Message { return rule(uapi.RTM_NEWRULE, netlink.Echo, uint32(2001-i)) }))
	send("add again", fill(20, func(i int) netlink.Message { return rule(uapi.RTM_NEWRULE, add, uint32(1995+i)) }))
	send("backward", fill(3, func(int) netlink.Message { return backward(0) }))
	dump("rules", ruleDump())
	dump("missing table", routeDump(4711))
	reply("echo", rule(uapi.RTM_NEWRULE, netlink.Echo|add, 3000))
	reply("ack", rule(uapi.RTM_NEWRULE, ack|add, 3001))
	reply("exists", rule(uapi.RTM_NEWRULE, ack|add, 3001))
	reply("lookup", lookup(0, 127, 0, 0, 1))
	reply("no route", lookup(0, 192, 0, 2, 1))
	reply("refused", backward(ack))
	dump("rules again", ruleDump())
	return answers
}

// text is an error without its sequence number.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Each question has its own answer, in order, also where answers are errors,
// where they do not fit into the queue together, and through any Executor.
func TestKernelAsk(t *testing.T) {
	report := testrun.Limit(t)
	l := lab.Test(t)
	plain, err := netlink.Dial(unix.NETLINK_ROUTE, l.NS("a").Config())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	own, small := dial(t), dial(t)
	if err := small.SetBuffers(1, 1<<20); err != nil {
		t.Fatal(err)
	}
	small.Overdo() // so that it is answers that are lost
	const n = 1000
	reqs := fill(n, func(i int) netlink.Message {
		to := []byte{127, 0, byte(i >> 8), byte(i)}
		if (i-1)%10 == 3 {
			to[0] = 10 // unreachable
		}
		return lookup(0, to...)
	})
	for name, c := range map[string]rtnl.Executor{"own": own, "small": small, "plain": plain} {
		next := 0
		err := rtnl.Ask(c, reqs, func(i int, m netlink.Message, err error) {
			if i != next {
				t.Fatalf("%s: answer %d, want %d", name, i, next)
			}
			next++
			if bad := i%10 == 3; bad != errors.Is(err, unix.ENETUNREACH) || !bad && !bytes.Contains(m.Data, reqs[i].Data[16:20]) {
				report.Errorf("%s: question %d: %v, % x", name, i, err, m.Data)
			}
		})
		if err != nil || next != n {
			report.Errorf("%s: %d answers, error %v", name, next, err)
		}
	}
	clean(t, own)
}
