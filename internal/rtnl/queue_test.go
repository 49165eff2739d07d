package rtnl

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/testrun"
)

var errRefused = errors.New("refused")

// A recordingKernel records the payloads that it is sent, and refuses those that
// are in refuse.
type recordingKernel struct {
	got    []string
	refuse map[string]bool
}

func (k *recordingKernel) Execute(m netlink.Message) ([]netlink.Message, error) {
	k.got = append(k.got, string(m.Data))
	if k.refuse[string(m.Data)] {
		return nil, errRefused
	}
	return nil, nil
}

var testRequest = Request{
	Header: netlink.Header{Type: 24},
	Fail:   func(m netlink.Message, err error) error { return fmt.Errorf("%s: %w", m.Data, err) },
}

func push(q *Queue, payloads ...string) {
	for _, s := range payloads {
		q.Push(&testRequest, append(q.Buffer(), s...))
	}
}

func wantGot(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// outcome is o as text.
func outcome(o Outcome) string {
	s := fmt.Sprintf("%d done, rest %d of %d, %v", o.Done(), o.Rest, o.Total, o.Err)
	for _, r := range o.Refused {
		s += fmt.Sprintf("; %d: %v", r.N, r.Err)
	}
	return s
}

// Requests are sent in their order, refused ones are reported in theirs, and a
// prepared one can look at what those before it did.
func TestQueue(t *testing.T) {
	report := testrun.Limit(t)
	var q Queue
	for _, again := range []string{"", "again"} {
		k := &recordingKernel{refuse: map[string]bool{"b": true, "prepared": true}}
		push(&q, "a", "b")
		q.PushPrepare(func(_ context.Context, c Executor) (netlink.Message, error) {
			if len(k.got) != 0 {
				report.Errorf("%q were sent before it was needed", k.got)
			}
			if _, err := c.Execute(netlink.Message{Data: []byte("question")}); err != nil {
				report.Error(err)
			}
			return netlink.Message{Header: netlink.Header{Type: 24}, Data: []byte("prepared")}, nil
		}, nil)
		q.PushError(errors.New("cannot be encoded"))
		q.PushPrepare(func(context.Context, Executor) (netlink.Message, error) { return netlink.Message{}, nil }, nil)
		push(&q, "", "c")
		if q.Len() != 7 {
			report.Errorf("%d requests, want 7", q.Len())
		}
		const want = "4 done, rest 0 of 7, <nil>; 1: b: refused; 2: refused; 3: cannot be encoded"
		if got := outcome(q.Run(t.Context(), k)); got != want {
			report.Errorf("%s: got %s\nwant %s", again, got, want)
		}
		wantGot(t, k.got, "a", "b", "question", "prepared", "", "c")
		if q.Len() != 0 {
			report.Errorf("%d requests are left", q.Len())
		}
	}
}

// Nothing is sent after a refusal, of the kernel or of this package.
func TestQueueStopAtFirst(t *testing.T) {
	k := &recordingKernel{refuse: map[string]bool{"b": true}}
	q := Queue{StopAtFirst: true}
	push(&q, "a", "b", "c", "d")
	if got, want := outcome(q.Run(t.Context(), k)), "1 done, rest 2 of 4, <nil>; 1: b: refused"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	q.PushError(errors.New("no"))
	push(&q, "e")
	if got, want := outcome(q.Run(t.Context(), k)), "0 done, rest 1 of 2, <nil>; 0: no"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wantGot(t, k.got, "a", "b")
}

// The end of the context leaves a rest, which was not sent.
func TestQueueContext(t *testing.T) {
	report := testrun.Limit(t)
	k := new(recordingKernel)
	ctx, cancel := context.WithCancel(t.Context())
	var q Queue
	push(&q, "a")
	q.PushPrepare(func(_ context.Context, c Executor) (netlink.Message, error) {
		for _, err := range Dump(c, netlink.Message{Data: []byte("dump")}) {
			report.Error(err)
		}
		cancel()
		return netlink.Message{}, nil
	}, nil)
	push(&q, "b", "c")
	if got, want := outcome(q.Run(ctx, k)), "2 done, rest 2 of 4, context canceled"; got != want {
		report.Errorf("got %s, want %s", got, want)
	}
	wantGot(t, k.got, "a", "dump")
}

// The payloads of many blocks stay whole and in order, also if the requests are
// collected by another queue.
func TestQueueBlocks(t *testing.T) {
	report := testrun.Limit(t)
	const n, size = 3000, 100
	payload := func(i int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(i)), make([]byte, i%size)...)
	}
	var q, other Queue
	for _, collected := range []bool{false, true, false} {
		for i := range n {
			q.Push(&testRequest, append(q.Buffer(), payload(i)...))
		}
		if len(q.blocks) < 3 {
			t.Fatalf("%d blocks: the test proves nothing", len(q.blocks))
		}
		from := &q
		if collected {
			push(&other, "first")
			if got := outcome(q.Run(t.Context(), &Collector{&other})); got != "0 done, rest 0 of 0, <nil>" {
				report.Errorf("collected: %s", got)
			}
			from = &other
		}
		k := new(recordingKernel)
		if o := from.Run(t.Context(), k); o.Done() != o.Total || q.Len()+other.Len() != 0 {
			report.Errorf("%s; %d and %d requests are left", outcome(o), q.Len(), other.Len())
		}
		if collected && k.got[0] == "first" {
			k.got = k.got[1:]
		}
		if len(k.got) != n {
			t.Fatalf("%d requests, want %d", len(k.got), n)
		}
		for i, got := range k.got {
			if !bytes.Equal([]byte(got), payload(i)) {
				t.Fatalf("request %d is %x", i, got)
			}
		}
	}
	if _, err := new(Collector).Execute(netlink.Message{}); err == nil {
		report.Error("a Collector executes")
	}
}

// The refused requests of a kind can be sent in another way, those that were sent
// together at once.
func TestQueueAgain(t *testing.T) {
	k := &recordingKernel{refuse: map[string]bool{"b": true, "c": true, "e": true, "f": true}}
	var calls []string
	kind := func(name string) *Request {
		return &Request{
			Header: testRequest.Header, Fail: testRequest.Fail,
			Again: func(_ context.Context, c Executor, refused []netlink.Message, errs []error) {
				for i, m := range refused {
					calls = append(calls, fmt.Sprintf("%s %s %v", name, m.Data, errs[i]))
					if _, errs[i] = c.Execute(netlink.Message{Data: append(m.Data[:1:1], '2')}); string(m.Data) == "c" {
						errs[i] = errors.New("not again")
					}
				}
			},
		}
	}
	first, second := kind("first"), kind("second")
	var q Queue
	for _, x := range []struct {
		request *Request
		payload string
	}{{first, "a"}, {first, "b"}, {second, "c"}, {&testRequest, "f"}, {first, "e"}, {first, "d"}} {
		q.Push(x.request, append(q.Buffer(), x.payload...))
	}
	o := q.Run(t.Context(), k)
	wantGot(t, calls, "first b refused", "first e refused", "second c refused")
	wantGot(t, k.got, "a", "b", "c", "f", "e", "d", "b2", "e2", "c2")
	if got := outcome(o); got != "4 done, rest 0 of 6, <nil>; 2: c: not again; 3: f: refused" {
		t.Errorf("got %s", got)
	}
}
