package nft_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
)

func words(c nft.Change) (all []string) {
	for _, o := range c.Objects {
		all = append(all, o.String())
	}
	slices.Sort(all)
	return all
}

// A subscription tells of each commit what it changed and who made it.
func TestKernelSubscription(t *testing.T) {
	ns, c := host(t)
	s, err := nft.SubscribeLike(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	next := func() (got nft.Change) {
		t.Helper()
		n := 0
		for n == 0 {
			if err := s.Receive(t.Context(), func(c nft.Change) error { n, got = n+1, c; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		g, err := nft.GetGeneration(t.Context(), c)
		if err != nil || n != 1 || got.Generation.ID != g.ID || got.Generation.PID == 0 {
			t.Errorf("%d changes, the last is %+v; the generation is %d, %v", n, got, g.ID, err)
		}
		return got
	}
	want := everything()
	commit(t, c, func(b *nft.Batch) { add(b, want) })
	created := next()
	objects := []string{"new table inet pr"}
	for _, o := range want.Chains {
		objects = append(objects, "new "+o.String(), "new "+strings.Replace(o.String(), "chain", "rule", 1))
	}
	for _, o := range want.Sets {
		name := strings.TrimPrefix(strings.TrimPrefix(o.String(), "set "), "map ")
		objects = append(objects, "new set "+name)
		if len(want.Elements[o.Name]) > 0 {
			objects = append(objects, "new element "+name)
		}
	}
	slices.Sort(objects)
	if got := words(created); !slices.Equal(got, objects) {
		t.Errorf("created (-want +got):\n%s", cmp.Diff(objects, got))
	}
	if created.Port != rtnl.Port(c) || !strings.HasPrefix(strings.TrimSpace(string(comm)), created.Generation.Process) {
		t.Errorf("made by port %d and process %q, want %d and %q", created.Port, created.Generation.Process, rtnl.Port(c), comm)
	}
	// What another socket does has its port.
	other := dial(t, ns)
	commit(t, other, func(b *nft.Batch) { b.DeleteTable(want.Table) })
	deleted := next()
	if got := words(deleted); !slices.Contains(got, "deleted table inet pr") || !slices.Contains(got, "deleted chain inet pr out") ||
		!slices.Contains(got, "deleted rule inet pr out") || !slices.Contains(got, "deleted set inet pr asked4") {
		t.Errorf("deleted %q", got)
	}
	if deleted.Port != rtnl.Port(other) {
		t.Errorf("made by port %d, want %d", deleted.Port, rtnl.Port(other))
	}
	if err := s.Pending(func(c nft.Change) error { t.Errorf("one more: %+v", c); return nil }); err != nil {
		t.Error(err)
	}
}

// A loop over changes ends with its context, and can end early.
func TestKernelWatch(t *testing.T) {
	ns, c := host(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes, err := nft.Watch(ctx, ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	commit(t, c, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv4, Name: "a"}) })
	n := 0
	for change, err := range changes {
		switch n++; n {
		case 1:
			if err != nil || len(change.Objects) != 1 || change.Objects[0].String() != "new table ip a" {
				t.Errorf("got %+v, %v", change, err)
			}
			cancel()
		case 2:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the last is %+v, %v", change, err)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d values", n)
	}
	changes, err = nft.Watch(t.Context(), ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	commit(t, c, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv4, Name: "b"}) })
	for change, err := range changes {
		if err != nil || len(change.Objects) != 1 {
			t.Errorf("got %+v, %v", change, err)
		}
		break
	}
	if _, err := nft.Watch(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// A subscription that lost notifications says so, and goes on.
func TestKernelOverrun(t *testing.T) {
	_, c := host(t)
	s, err := nft.SubscribeLike(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		commit(t, c, func(b *nft.Batch) {
			b.AddTable(nft.Table{Family: nft.Inet, Name: table})
			b.AddChain(nft.Chain{Family: nft.Inet, Table: table, Name: "sub"})
			b.DeleteTable(nft.Table{Family: nft.Inet, Name: table})
		})
	}
	overrun := false
	for !overrun {
		err := s.Receive(t.Context(), func(nft.Change) error { return nil })
		if overrun = errors.Is(err, rtnl.ErrOverrun); err != nil && !overrun {
			t.Fatal(err)
		}
	}
	commit(t, c, func(b *nft.Batch) { b.AddTable(nft.Table{Family: nft.IPv6, Name: "after"}) })
	var last nft.Change
	for last.Generation.ID == 0 {
		if err := s.Receive(t.Context(), func(c nft.Change) error { last = c; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if got := words(last); !slices.Equal(got, []string{"new table ip6 after"}) {
		t.Errorf("after it: %q", got)
	}
}
