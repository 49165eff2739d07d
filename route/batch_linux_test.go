//go:build linux

package route

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/testrun"
)

// numbered is the i-th of many routes.
func numbered(i int) Route {
	return Route{
		Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24), Gateway: gateways[IPv4][0], Table: 10,
	}
}

// A batch does what the verbs do one by one, over any Conn: the same routes, and
// for each that is refused the same error.
func TestKernelBatch(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		for _, n := range []int{1, 5, 100, 600, 2000} {
			var b Batch
			var want []string
			var refused []Refusal
			for i := range n {
				r := numbered(i)
				switch i % 10 {
				case 3: // there is none
					refused = append(refused, Refusal{b.Len(), Delete(t.Context(), c, r)})
					b.Delete(r)
					continue
				case 4: // no such gateway
					r.Gateway = netip.MustParseAddr("203.0.113.1")
					refused = append(refused, Refusal{b.Len(), Replace(t.Context(), c, r)})
					b.Replace(r)
					continue
				case 5: // that cannot even be encoded
					r.PrefSrc = sources[IPv6][0]
					refused = append(refused, Refusal{b.Len(), Add(t.Context(), c, r)})
					b.Add(r)
					continue
				case 6: // comes and goes
					b.Add(r)
					b.Delete(r)
					continue
				}
				b.Add(r)
				want = append(want, r.Canonical().String())
			}
			err := b.Do(t.Context(), c)
			var be *BatchError
			if len(refused) == 0 {
				if err != nil {
					report.Errorf("%s, %d: %v", name, n, err)
				}
			} else if !errors.As(err, &be) {
				report.Errorf("%s, %d: got %v, want a *BatchError", name, n, err)
			} else if diff := cmp.Diff(refusalTexts(refused), refusalTexts(be.Refused)); diff != "" {
				report.Errorf("%s, %d: refusals (-want +got):\n%s", name, n, diff)
			} else if be.Rest != 0 || be.Err != nil || !errors.Is(err, fs.ErrNotExist) || n > 5 && !errors.Is(err, syscall.ENETUNREACH) {
				report.Errorf("%s, %d: %d not sent, %v", name, n, be.Rest, err)
			}
			got := list(t, c, table10)
			for i := range got {
				got[i] = strings.Replace(got[i], " dev if3", "", 1)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				report.Errorf("%s, %d: routes (-want +got):\n%s", name, n, diff)
			}
			if n, err := Flush(t.Context(), c, table10); n != len(want) || err != nil || b.Len() != 0 {
				report.Errorf("%s: flushed %d, %v; %d still in the batch", name, n, err, b.Len())
			}
		}
	}
}

func refusalTexts(refused []Refusal) (s []string) {
	for _, r := range refused {
		s = append(s, fmt.Sprintf("%d: %v", r.N, r.Err))
	}
	return s
}

// Nothing after the first refusal is sent.
func TestKernelBatchStopAtFirst(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		b := Batch{StopAtFirst: true}
		b.Add(numbered(0))
		b.Add(numbered(1))
		b.Add(numbered(0))
		b.Add(numbered(2))
		b.Delete(numbered(0))
		err := b.Do(t.Context(), c)
		const want = `batch: 1 of 5 requests refused, first request 2: route: add "10.0.0.0/24 via 192.168.1.1 table 10": ` +
			`file exists; the last 2 of 5 requests not sent`
		if err == nil || err.Error() != want {
			report.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
		var be *BatchError
		if !errors.As(err, &be) || be.Rest != 2 || be.Err != nil {
			report.Errorf("%s: %+v", name, be)
		}
		if n, err := Flush(t.Context(), c, table10); n != 2 || err != nil {
			report.Errorf("%s: %d routes, %v, want 2", name, n, err)
		}
	}
}

// The end of the context ends a batch between two sends.
func TestKernelBatchContext(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	ctx, cancel := context.WithCancel(t.Context())
	var b Batch
	for i := range 10 {
		b.Add(numbered(i))
	}
	b.queue.PushPrepare(func(_ context.Context, c rtnl.Executor) (netlink.Message, error) {
		if got := len(list(t, c, table10)); got != 10 {
			t.Errorf("Prepare sees %d routes, want the 10 before it", got)
		}
		cancel()
		return netlink.Message{}, nil
	}, nil)
	for i := range 2000 {
		b.Add(numbered(100 + i))
	}
	err := b.Do(ctx, c)
	var be *BatchError
	if !errors.As(err, &be) || !errors.Is(err, context.Canceled) || be.Rest != 2000 || len(be.Refused) != 0 {
		t.Errorf("got %v", err)
	}
	if got := len(list(t, c, table10)); got != 10 {
		t.Errorf("%d routes, want 10", got)
	}
	b.Add(numbered(11))
	if err := b.Do(t.Context(), c); err != nil {
		t.Errorf("the same Batch again: %v", err)
	}
}

// A socket that fails in the middle leaves a rest, not refusals.
func TestKernelBatchClosed(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	var b Batch
	b.Add(numbered(0))
	b.queue.PushPrepare(func(_ context.Context, inner rtnl.Executor) (netlink.Message, error) {
		_ = list(t, inner, table10)
		c.Close()
		return netlink.Message{}, nil
	}, nil)
	b.Add(numbered(1))
	b.Add(numbered(2))
	err := b.Do(t.Context(), c)
	var be *BatchError
	if !errors.As(err, &be) || be.Rest != 2 || be.Err == nil || len(be.Refused) != 0 {
		t.Errorf("got %v", err)
	}
}

// Many lookups have the results of as many single ones.
func TestKernelLookupAll(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "10.0.0.0/16 via 192.168.1.1", "unreachable 10.1.0.0/16", "blackhole 10.2.0.0/16", "-6 default via 2001:db8:1::1")
	var queries []Query
	for i := range 1000 {
		q := Query{Dst: netip.AddrFrom4([4]byte{10, byte(i % 5), byte(i >> 8), byte(i)})}
		if i%7 == 0 {
			q.Dst = netip.MustParseAddr("2001:db8:ff::1")
		}
		if i%50 == 9 {
			q.Dst = netip.Addr{}
		}
		queries = append(queries, q)
	}
	for name, c := range conns(t, ns) {
		i := 0
		for got, err := range LookupAll(t.Context(), c, queries) {
			want, wantErr := Lookup(t.Context(), c, queries[i])
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || got.Canonical().String() != want.Canonical().String() {
				t.Fatalf("%s: %s:\n got %s, %v\nwant %s, %v", name, queries[i], got, err, want, wantErr)
			}
			i++
		}
		if i != len(queries) {
			report.Errorf("%s: %d results, want %d", name, i, len(queries))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	i := 0
	var last error
	for _, err := range LookupAll(ctx, c, queries) {
		cancel()
		i, last = i+1, err
	}
	if !errors.Is(last, context.Canceled) || i != lookupBatchSize+1 {
		report.Errorf("%d results, the last %v", i, last)
	}
	for range LookupAll(t.Context(), c, slices.Concat(queries, queries)) {
		break
	}
}

// A batch of more than a block, used twice, with a request in the middle that is
// not about a route.
func TestKernelBatchLarge(t *testing.T) {
	t.Parallel()
	const n = 5000 // three blocks of 64 KiB
	route := func(i int) Route {
		return Route{
			Dst:  netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32),
			Type: TypeUnreachable, Table: 1000, Priority: uint32(1 + i%7),
		}
	}
	c := dial(t, lab.Test(t).NS("a"))
	var b Batch
	for range 2 {
		for i := range n {
			if i == n/2 {
				b.queue.PushPrepare(func(context.Context, rtnl.Executor) (netlink.Message, error) { return netlink.Message{}, nil }, nil)
			}
			b.Add(route(i))
		}
		r := route(1)
		r.setDefaults()
		if data, err := r.appendRequest(nil); err != nil || n*len(data) < 2*64<<10 {
			t.Fatalf("%d payloads of %d bytes, %v: too few blocks", n, len(data), err)
		}
		if err := b.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got, err := List(t.Context(), c, Filter{Table: 1000})
		if err != nil || len(got) != n {
			t.Fatalf("%d routes, %v, want %d", len(got), err, n)
		}
		for _, r := range got {
			a := r.Dst.Addr().As4()
			if i := int(a[2])<<8 | int(a[3]); r.Priority != uint32(1+i%7) {
				t.Fatalf("route %d is %s", i, r)
			}
			b.Delete(r)
		}
		if err := b.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got, err := List(t.Context(), c, Filter{Table: 1000}); err != nil || len(got) > 0 {
			t.Fatalf("%d routes are left, %v", len(got), err)
		}
	}
}
