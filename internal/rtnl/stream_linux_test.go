package rtnl_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// many objects make a dump of many datagrams: about 400 rules fit into one.
const many = 5000

// ours are the numbers of a stream, up to the first error.
func ours(t testing.TB, stream iter.Seq2[netlink.Message, error], each func(n int)) (ns []uint32, err error) {
	t.Helper()
	for m, err := range stream {
		if err != nil {
			return ns, err
		}
		if n := number(t, m); n != 0 {
			ns = append(ns, n)
			each(len(ns))
		}
	}
	return ns, nil
}

func TestKernelStream(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	addRoutes(t, c, 4*many)
	for range 2 { // the second time with the buffers of the first
		expect(t, "rules", numbers(t, c, ruleDump()), upTo(many))
		got := numbers(t, c, routeDump(table))
		slices.Sort(got) // the kernel has them in a tree
		expect(t, "routes", got, upTo(4*many))
		clean(t, c)
	}
}

// Execute collects a dump, in messages that stay as they are.
func TestKernelExecuteDump(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	msgs, err := c.Execute(ruleDump())
	if err != nil {
		t.Fatal(err)
	}
	numbers(t, c, ruleDump())
	var got []uint32
	for _, m := range msgs {
		if n := number(t, m); n != 0 {
			got = append(got, n)
		}
	}
	expect(t, "rules", got, upTo(many))
	if _, err := c.Execute(routeDump(4711)); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a missing table: got %v, want ENOENT", err)
	}
	clean(t, c)
}

func TestKernelStreamLeftEarly(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	for _, after := range []int{1, 100, many - 1, many} {
		n := 0
		for _, err := range c.Stream(ruleDump()) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == after {
				break
			}
		}
		clean(t, c)
	}
	func() {
		defer func() { _ = recover() }()
		for range c.Stream(ruleDump()) {
			panic("in the body of the loop")
		}
	}()
	clean(t, c)
	next, stop := iter.Pull2(c.Stream(ruleDump()))
	next()
	stop()
	clean(t, c)
	expect(t, "rules", numbers(t, c, ruleDump()), upTo(many))
}

// The body of a loop uses the Conn that it reads from: at the first message,
// in the middle, at the last.
func TestKernelRequestsInStream(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	refused := fill(3*rtnl.MaxBatch, func(int) netlink.Message { return backward(0) })
	got, err := ours(t, c.Stream(ruleDump()), func(n int) {
		if n%1000 > 1 {
			return
		}
		if _, err := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, uint32(many+n))); err != nil {
			t.Errorf("add after %d messages: %v", n, err)
		}
		if _, err := c.Execute(backward(ack)); !errors.Is(err, unix.EINVAL) {
			t.Errorf("refused after %d messages: got %v, want EINVAL", n, err)
		}
		errs, err := c.Batch(refused)
		if i := slices.Index(errs, nil); err != nil || i >= 0 {
			t.Errorf("batch after %d messages: %v, request %d is not refused", n, err, i)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	// The rules that were added come after the rest, and may or may not be seen.
	expect(t, "rules", got[:min(len(got), many)], upTo(many))
	clean(t, c)
}

// A flush deletes what its own listing yields. The kernel's listing goes by
// index: a rule deleted meanwhile would hide another.
func TestKernelDeleteInStream(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	got, err := ours(t, c.Stream(ruleDump()), func(n int) {
		if _, err := c.Execute(rule(uapi.RTM_DELRULE, ack, uint32(n))); err != nil {
			t.Fatalf("delete %d: %v", n, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "rules", got, upTo(many))
	expect(t, "rules left", numbers(t, c, ruleDump()), nil)
	clean(t, c)
}

// The kernel has one dump a socket. A loop within a loop has to see all of
// both nevertheless, and one within that too.
func TestKernelNestedStreams(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	addRoutes(t, c, many)
	checks := 0
	got, err := ours(t, c.Stream(ruleDump()), func(n int) {
		if n != 1 && n != many/2 && n != many {
			return
		}
		inner, err := ours(t, c.Stream(routeDump(table)), func(n int) {
			if n != many/3 {
				return
			}
			checks++
			expect(t, "third level", numbers(t, c, ruleDump()), upTo(many))
			for range c.Stream(ruleDump()) {
				break
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(inner)
		expect(t, "second level", inner, upTo(many))
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "first level", got, upTo(many))
	if checks != 3 {
		t.Errorf("the third level ran %d times, want 3", checks)
	}
	clean(t, c)
}

// Two loops take turns, as iter.Pull2 lets them.
func TestKernelStreamsTakeTurns(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	var nexts []func() (netlink.Message, error, bool)
	for range 3 {
		next, stop := iter.Pull2(c.Stream(ruleDump()))
		defer stop()
		nexts = append(nexts, next)
	}
	got := make([][]uint32, len(nexts))
	for open := len(nexts); open > 0; {
		for i, next := range nexts {
			if next == nil {
				continue
			}
			m, err, ok := next()
			if err != nil {
				t.Fatalf("loop %d: %v", i, err)
			}
			if !ok {
				nexts[i], open = nil, open-1
			} else if n := number(t, m); n != 0 {
				got[i] = append(got[i], n)
			}
		}
	}
	for i := range got {
		expect(t, fmt.Sprintf("loop %d", i), got[i], upTo(many))
	}
	clean(t, c)
}

// Goroutines share a Conn. Each has its own rules, and sees its own answers.
func TestKernelConcurrent(t *testing.T) {
	report := testrun.Limit(t)
	c := dial(t)
	addRoutes(t, c, many)
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() { // Execute
			for i := range 200 {
				prio := uint32(10000 + 1000*g + i)
				_, err1 := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, prio))
				_, err2 := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, prio))
				echo, err3 := c.Execute(rule(uapi.RTM_DELRULE, netlink.Echo, prio))
				if err1 != nil || !errors.Is(err2, unix.EEXIST) || err3 != nil {
					report.Errorf("rule %d: add %v, again %v, delete %v", prio, err1, err2, err3)
					return
				}
				if len(echo) != 1 || number(t, echo[0]) != prio {
					report.Errorf("rule %d: the echo is another's: %v", prio, echo)
				}
			}
		})
		wg.Go(func() { // Stream
			for i := range 10 {
				got, err := ours(t, c.Stream(routeDump(table)), func(int) {})
				slices.Sort(got)
				if err != nil || !slices.Equal(got, upTo(many)) {
					report.Errorf("dump %d: %d routes, want %d, error %v", i, len(got), many, err)
				}
				for range c.Stream(ruleDump()) {
					break
				}
			}
		})
		wg.Go(func() { // Batch, every other request refused
			for range 10 {
				first := 20000 + 1000*g
				reqs := fill(600, func(i int) netlink.Message {
					return rule(uapi.RTM_NEWRULE, add, uint32(first+(i-1)/2))
				})
				errs, err := c.Batch(reqs)
				for i, refused := range errs {
					if err != nil || (refused != nil) != (i%2 == 1) {
						report.Errorf("batch: request %d: %v, %v", i, refused, err)
						return
					}
				}
				errs, err = c.Batch(fill(300, func(i int) netlink.Message {
					return rule(uapi.RTM_DELRULE, 0, uint32(first+i-1))
				}))
				if err := errors.Join(append(errs, err)...); err != nil {
					report.Errorf("batch of deletions: %v", err)
				}
			}
		})
	}
	wg.Wait()
	expect(t, "rules left", numbers(t, c, ruleDump()), nil)
	clean(t, c)
}

func TestKernelDumpRefused(t *testing.T) {
	report := testrun.Limit(t)
	c := dial(t)
	bad := ruleDump()
	bad.Data[uapi.FibRuleHdrTable] = table
	unknown := ruleDump()
	unknown.Data[0] = uapi.AF_MPLS
	for _, tt := range []struct {
		name string
		req  netlink.Message
		want netlink.OpError
	}{
		{"missing table", routeDump(4711), netlink.OpError{Err: unix.ENOENT, Message: "ipv4: FIB table does not exist"}},
		{"header", bad, netlink.OpError{Err: unix.EINVAL, Message: "Invalid values in header for fib rule dump request"}},
		{"family", unknown, netlink.OpError{Err: unix.EAFNOSUPPORT}},
	} {
		n := 0
		for _, err := range c.Stream(tt.req) {
			n++
			var op *netlink.OpError
			if !errors.As(err, &op) || op.Err != tt.want.Err || op.Message != tt.want.Message {
				report.Errorf("%s: got %v, want %v", tt.name, err, &tt.want)
			}
			if _, err := c.Execute(lookup(0, 127, 0, 0, 1)); err != nil {
				report.Errorf("%s: a request after the refusal, in the loop: %v", tt.name, err)
			}
		}
		if n != 1 {
			report.Errorf("%s: yielded %d times, want once, the error", tt.name, n)
		}
		clean(t, c)
	}
}

func TestKernelCloseInStream(t *testing.T) {
	c := dial(t, lab.Test(t).NS("a"))
	addRules(t, c, many)
	got, err := ours(t, c.Stream(ruleDump()), func(n int) {
		if n == 1 {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	if !errors.Is(err, os.ErrClosed) || len(got) >= many {
		t.Errorf("%d rules and %v, want os.ErrClosed before the end", len(got), err)
	}
}

// A dump costs some allocations a datagram and none a message.
func TestKernelStreamAllocations(t *testing.T) {
	c := dial(t)
	addRules(t, c, many)
	dump := ruleDump()
	messages := 0
	got := testing.AllocsPerRun(5, func() {
		messages = 0
		for _, err := range c.Stream(dump) {
			if err != nil {
				t.Fatal(err)
			}
			messages++
		}
	})
	if limit := float64(messages / 20); got > limit {
		t.Errorf("%v allocations for %d messages, want at most %v", got, messages, limit)
	}
}
