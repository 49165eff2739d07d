//go:build linux

package rule

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
)

// A flush takes all that the filter selects, also where one listing would not
// show them all, and nothing else.
func TestKernelFlush(t *testing.T) {
	t.Parallel()
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		t.Run(name, func(t *testing.T) {
			before := list(t, c, Filter{})
			add(t, c, "500: from all iif eth7 lookup 30 proto static")
			kept := list(t, c, Filter{})
			const rules = 3000
			for i := range rules {
				r := Rule{Priority: Priority(uint32(1000 + i)), Table: 20, Protocol: 210, FwMark: FwMark(uint32(i + 1))}
				if i%2 == 0 {
					r.Family = route.IPv6
				}
				if err := Add(t.Context(), c, r); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := Flush(t.Context(), c, Filter{Table: 20}); n != rules || err != nil {
				t.Errorf("flushed %d, %v, want %d", n, err, rules)
			}
			wantList(t, c, Filter{}, kept...)
			if n, err := Flush(t.Context(), c, Filter{Table: 20}); n != 0 || err != nil {
				t.Errorf("an empty table: flushed %d, %v", n, err)
			}
			if _, err := Flush(t.Context(), c, Filter{Priority: Priority(500)}); err != nil {
				t.Error(err)
			}
			wantList(t, c, Filter{}, before...)
		})
	}
}

// The rule for local stays unless its priority is asked for.
func TestKernelFlushKeepsLocal(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	if _, err := Flush(t.Context(), c, Filter{Family: route.IPv6}); err != nil {
		t.Fatal(err)
	}
	wantList(t, c, Filter{Family: route.IPv6}, "-6 0: from all lookup local proto kernel")
	if n, err := Flush(t.Context(), c, Filter{Family: route.IPv6, Priority: Priority(0)}); n != 1 || err != nil {
		t.Errorf("flushed %d, %v", n, err)
	}
	wantList(t, c, Filter{Family: route.IPv6})
}

// A rule that the kernel cannot tell from another's is not flushed.
func TestKernelFlushRefused(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	add(t, c, "100: from all iif eth7 lookup 20 proto 210", "100: from all lookup 20 proto 210",
		"101: from all fwmark 0x1 lookup 20 proto 99")
	// Both are selected, so that it does not matter which goes first.
	if n, err := Flush(t.Context(), c, Filter{Protocol: 210}); n != 2 || err != nil {
		t.Errorf("flushed %d, %v, want 2", n, err)
	}
	add(t, c, "100: from all iif eth7 lookup 20", "100: from all lookup 20")
	before := list(t, c, Filter{})
	add(t, c, "100: from all lookup 20 proto 210") // the same table, after one of unspec
	if n, err := Flush(t.Context(), c, Filter{Protocol: 210}); n != 1 || err != nil {
		t.Errorf("flushed %d, %v, want 1", n, err)
	}
	wantList(t, c, Filter{}, before...)
}

// Every change is seen, with what it is about, by those who look at that.
func TestKernelWatch(t *testing.T) {
	t.Parallel()
	ns, c := kernel(t)
	events, err := Watch(t.Context(), ns.Config(), Filter{Table: 20})
	if err != nil {
		t.Fatal(err)
	}
	add(t, c, "100: from 192.0.2.1 lookup 20", "101: from 192.0.2.1 lookup 21", "102: from 2001:db8::1 lookup 20")
	if err := Delete(t.Context(), c, parse(t, "100: from 192.0.2.1 lookup 20")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Kind.String()+" "+e.Rule.String()); len(got) == 3 {
			break
		}
	}
	want := "added 100: from 192.0.2.1 lookup 20\n" +
		"added 102: from 2001:db8::1 lookup 20\n" +
		"deleted 100: from 192.0.2.1 lookup 20"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got:\n%s\nwant:\n%s", s, want)
	}
}
