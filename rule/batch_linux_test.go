//go:build linux

package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A batch does what the verbs do one by one, over any Conn.
func TestKernelBatch(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		before := list(t, c, Filter{})
		r := func(s string) Rule { return parse(t, s) }
		var b Batch
		var refused []int
		var texts []string
		refuse := func(what string) {
			refused, texts = append(refused, b.Len()-1), append(texts, what)
		}
		b.Routes.Add(route.Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Table: 10, Type: route.TypeUnreachable})
		b.Add(r("from 10.0.0.1 lookup 10 pref 100"))
		b.Add(r("from 10.0.0.2 lookup 10 pref 100"))
		b.Add(r("from 10.0.0.1 lookup 10 pref 100"))
		refuse(`rule: add "from 10.0.0.1 lookup 10 pref 100": file exists`)
		b.Delete(r("from 10.0.0.1 lookup 10 pref 100"))
		b.Delete(r("from 10.0.0.1 lookup 10 pref 100"))
		refuse(`rule: delete "from 10.0.0.1 lookup 10 pref 100": no such rule: file does not exist`)
		b.Add(r("from 10.0.0.3 lookup 10 pref 100"))
		b.Add(Rule{Priority: Priority(7)})
		refuse(`rule: add "from all lookup 0 pref 7": the action lookup needs a table`)
		b.Add(r("from all goto 1 pref 5"))
		refuse(Add(t.Context(), c, r("from all goto 1 pref 5")).Error())
		// The kernel would take the one before it, which has a selector more.
		b.Add(r("from 10.0.0.4 fwmark 0x1 lookup 10 pref 200"))
		b.Add(r("from 10.0.0.4 lookup 10 pref 200"))
		b.Delete(r("from 10.0.0.4 lookup 10 pref 200"))
		refuse(`rule: delete "from 10.0.0.4 lookup 10 pref 200": the kernel would delete "from 10.0.0.4 fwmark 0x1 lookup 10 pref 200", which comes before it`)
		b.Delete(Rule{})
		refuse(`rule: delete "from all lookup 0": a rule without any field would delete the kernel's first rule, from all lookup local`)
		b.Delete(Rule{From: netip.MustParsePrefix("10.0.0.2/32"), Table: 10}) // of any priority
		err := b.Do(t.Context(), c)
		var be *route.BatchError
		if !errors.As(err, &be) {
			t.Fatalf("%s: got %v", name, err)
		}
		var gotN []int
		var got []string
		for _, r := range be.Refused {
			gotN, got = append(gotN, r.N), append(got, r.Err.Error())
		}
		if diff := testrun.Cut(cmp.Diff(refused, gotN)); diff != "" {
			report.Errorf("%s: refused (-want +got):\n%s", name, diff)
		}
		if diff := testrun.Cut(cmp.Diff(texts, got)); diff != "" {
			report.Errorf("%s: refusals (-want +got):\n%s", name, diff)
		}
		want := slices.Insert(slices.Clone(before), 1, "100: from 10.0.0.3 lookup 10",
			"200: from 10.0.0.4 fwmark 0x1 lookup 10", "200: from 10.0.0.4 lookup 10")
		if diff := testrun.Cut(cmp.Diff(want, list(t, c, Filter{}))); diff != "" {
			report.Errorf("%s: rules (-want +got):\n%s", name, diff)
		}
		// The second at 200 can go once the first has.
		b.Delete(r("from 10.0.0.4 fwmark 0x1 lookup 10 pref 200"))
		b.Delete(r("from 10.0.0.4 lookup 10 pref 200"))
		b.Delete(r("from 10.0.0.3 lookup 10 pref 100"))
		b.Routes.Delete(route.Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Table: 10})
		if err := b.Do(t.Context(), c); err != nil {
			report.Errorf("%s: %v", name, err)
		}
		if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
			report.Errorf("%s: rules in the end (-want +got):\n%s", name, diff)
		}
	}
}

// Routes and rules are sent in the order in which they were queued, and the
// numbers of refused requests are those of the whole batch. StopAtFirst applies
// to both.
func TestKernelBatchOrder(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	dst := route.Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Table: 10, Type: route.TypeUnreachable}
	r := parse(t, "lookup 10 pref 100")
	const (
		newRule, delRule   = uapi.RTM_NEWRULE, uapi.RTM_DELRULE
		newRoute, delRoute = uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE
	)
	for _, stop := range []bool{false, true} {
		b := Batch{Routes: route.Batch{StopAtFirst: stop}}
		b.Routes.Add(dst)
		b.Add(r)
		b.Routes.Delete(dst)
		b.Routes.Delete(dst) // 3: refused
		b.Delete(r)
		b.Add(r)
		b.Routes.Add(dst)
		b.Add(r) // 7: refused
		b.Routes.Delete(dst)
		b.Delete(r)
		if b.Len() != 10 {
			report.Errorf("%d requests, want 10", b.Len())
		}
		sent := &recorder{Conn: c}
		err := b.Do(t.Context(), sent)
		var be *route.BatchError
		if !errors.As(err, &be) {
			t.Fatal(err)
		}
		want := []netlink.HeaderType{newRoute, newRule, delRoute, delRoute, delRule, newRule, newRoute, newRule, delRoute, delRule}
		refused, rest := []int{3, 7}, 0
		if stop {
			want, refused, rest = want[:4], refused[:1], 6
		}
		var got []int
		for _, x := range be.Refused {
			got = append(got, x.N)
		}
		if !slices.Equal(sent.types, want) || !slices.Equal(got, refused) || be.Rest != rest || be.Total != 10 {
			report.Errorf("stop %v: sent %v, want %v; %+v", stop, sent.types, want, be)
		}
		if stop {
			if err := Delete(t.Context(), c, r); err != nil {
				report.Error(err)
			}
		}
		wantList(t, c, Filter{Table: 10})
	}
}

// A recorder records the types of requests that change something.
type recorder struct {
	route.Conn
	types []netlink.HeaderType
}

func (r *recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type != uapi.RTM_GETRULE {
		r.types = append(r.types, m.Header.Type)
	}
	return r.Conn.Execute(m)
}

// What a kernel does not know is found in a batch, too, and by AddAll.
func TestKernelBatchVerified(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	old := oldKernel{c, uapi.FRA_DSCP}
	rules := []Rule{parse(t, "from 10.0.0.1 lookup 10 pref 1"), parse(t, "dscp 10 lookup 10 pref 2"), parse(t, "from 10.0.0.2 lookup 10 pref 3")}
	for name, do := range map[string]func() error{
		"Batch": func() error {
			var b Batch
			for _, r := range rules {
				b.Add(r)
			}
			return b.Do(t.Context(), old)
		},
		"AddAll": func() error { return AddAll(t.Context(), old, rules) },
	} {
		err := do()
		var be *route.BatchError
		if !errors.As(err, &be) || len(be.Refused) != 1 || be.Refused[0].N != 1 || !errors.Is(err, errors.ErrUnsupported) {
			report.Errorf("%s: got %v", name, err)
		}
		if got := len(list(t, c, Filter{})); got != len(before)+2 {
			report.Errorf("%s: %d rules more, want 2", name, got-len(before))
		}
		var b Batch
		b.Delete(rules[2])
		b.Delete(rules[0])
		if err := b.Do(t.Context(), c); err != nil {
			report.Error(err)
		}
	}
}

// A countingConn is a Conn that counts requests.
type countingConn struct {
	route.Conn
	dumps, writes int
}

func (c *countingConn) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type == uapi.RTM_GETRULE {
		c.dumps++
	} else {
		c.writes++
	}
	return c.Conn.Execute(m)
}

// All rules of a batch are deleted after one look at what is there, and rules
// that are replaced at their priorities as well.
func TestKernelBatchLooksOnce(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	var b Batch
	rule := func(i int, table uint32) Rule { return parse(t, fmt.Sprintf("lookup %d pref %d", table, i)) }
	for i := range 100 {
		b.Add(rule(i+1, 10))
	}
	if err := b.Do(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		b.Add(rule(i+1, 20))
		b.Delete(rule(i+1, 10))
	}
	n := &countingConn{Conn: c}
	if err := b.Do(t.Context(), n); err != nil || n.dumps != 1 || n.writes != 200 {
		t.Errorf("%d listings, %d writes, %v, want 1 and 200", n.dumps, n.writes, err)
	}
	b.Delete(rule(1, 20))
	b.Add(rule(1, 30))
	b.Delete(rule(1, 30)) // it was not there before: another look
	for i := range 99 {
		b.Delete(rule(i+2, 20))
	}
	n = &countingConn{Conn: c}
	if err := b.Do(t.Context(), n); err != nil || n.dumps != 2 || n.writes != 102 {
		t.Errorf("%d listings, %d writes, %v, want 2 and 102", n.dumps, n.writes, err)
	}
	if got := list(t, c, Filter{Family: route.IPv4}); len(got) != 3 {
		t.Errorf("left are %q", got)
	}
}

// Another process deletes a rule after the batch has listed it: the kernel
// refuses, in words of the rule that was given.
func TestKernelBatchDeleteRefused(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	r := parse(t, "from 10.0.0.1 lookup 300 pref 100")
	if err := Add(t.Context(), c, r); err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Delete(r)
	err := b.Do(t.Context(), &deletingConn{Conn: c, after: func() {
		if err := Delete(t.Context(), c, r); err != nil {
			t.Error(err)
		}
	}})
	const want = `batch: 1 of 1 requests refused, first request 0: rule: delete "from 10.0.0.1 lookup 300 pref 100": ` +
		`no such file or directory`
	if err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// A deletingConn is a Conn that calls a function after a listing of rules.
type deletingConn struct {
	route.Conn
	after func()
}

func (d *deletingConn) Execute(m netlink.Message) ([]netlink.Message, error) {
	msgs, err := d.Conn.Execute(m)
	if m.Header.Type == uapi.RTM_GETRULE {
		d.after()
	}
	return msgs, err
}

// AddAll makes what Add makes one by one.
func TestKernelAddAll(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		before := list(t, c, Filter{})
		there := parse(t, "from 10.9.0.0/16 lookup 10 pref 500")
		if err := Add(t.Context(), c, there); err != nil {
			t.Fatal(err)
		}
		var rules []Rule
		var want []string
		for i := range 300 {
			r := parse(t, fmt.Sprintf("from 10.0.%d.%d lookup %d pref %d", i>>8, i&255, i+1, 100+i/3))
			if i%2 == 1 {
				r = parse(t, fmt.Sprintf("-6 from 2001:db8::%x lookup 10 pref %d", i, 1000-i))
			}
			rules = append(rules, r)
		}
		for _, r := range rules {
			if err := Add(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
		}
		want = list(t, c, Filter{})
		for _, r := range rules {
			if err := Delete(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := AddAll(t.Context(), c, rules); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := testrun.Cut(cmp.Diff(want, list(t, c, Filter{}))); diff != "" {
			report.Errorf("%s: rules (-one by one +AddAll):\n%s", name, diff)
		}
		// Once more, with one that is new, one that comes twice and one that
		// cannot be.
		again := append(slices.Clone(rules), parse(t, "lookup 5 pref 9"), there, parse(t, "lookup 5 pref 9"), Rule{Table: 5})
		err := AddAll(t.Context(), c, again)
		var be *route.BatchError
		if !errors.As(err, &be) || len(be.Refused) != len(again)-1 || be.Total != len(again) || !errors.Is(err, fs.ErrExist) ||
			!errors.Is(err, errNoPriority) {
			t.Fatalf("%s: got %v", name, err)
		}
		for i, r := range be.Refused {
			n := i
			if i >= len(rules) {
				n++ // the new one
			}
			if r.N != n || n < len(again)-1 && !errors.Is(r.Err, fs.ErrExist) {
				report.Errorf("%s: refusal %d: request %d: %v", name, i, r.N, r.Err)
			}
		}
		if got := len(list(t, c, Filter{})); got != len(want)+1 {
			report.Errorf("%s: %d rules, want one more than %d", name, got, len(want))
		}
		var b Batch
		for _, r := range append(rules, there, parse(t, "lookup 5 pref 9")) {
			b.Delete(r)
		}
		if err := b.Do(t.Context(), c); err != nil {
			report.Errorf("%s: %v", name, err)
		}
		if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
			report.Errorf("%s: rules in the end (-want +got):\n%s", name, diff)
		}
		if err := AddAll(t.Context(), c, nil); err != nil {
			report.Errorf("%s: no rules: %v", name, err)
		}
	}
}

// A socket that fails after some of many rules: those that were not sent are
// counted, and only those.
func TestKernelAddAllStops(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	var rules []Rule
	for i := range 3 * addAllChunk {
		rules = append(rules, Rule{FwMark: FwMark(uint32(i + 1)), Table: 77, Priority: Priority(uint32(1000 + i))})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := AddAll(ctx, &cancelingConn{Socket: c, after: addAllChunk, stop: cancel}, rules)
	there, listErr := List(t.Context(), c, Filter{Table: 77})
	if listErr != nil {
		t.Fatal(listErr)
	}
	var be *route.BatchError
	if !errors.As(err, &be) || !errors.Is(err, context.Canceled) || be.Total != len(rules) ||
		be.Rest != len(rules)-len(there) || len(there) < addAllChunk || len(there) == len(rules) {
		t.Errorf("%d of %d rules are there, and the error is %v", len(there), len(rules), err)
	}
}

// A cancelingConn is a Conn that ends a context after some requests.
type cancelingConn struct {
	*route.Socket
	after int
	stop  func()
}

func (s *cancelingConn) Batch(reqs []netlink.Message) ([]error, error) {
	if s.after -= len(reqs); s.after <= 0 {
		defer s.stop()
	}
	return s.Socket.Batch(reqs)
}
