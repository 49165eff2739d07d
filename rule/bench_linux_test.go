//go:build linux

package rule

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// benchSize is the number of rules that are listed and added at once.
const benchSize = 5_000

// benchmarked makes a namespace, and many rules.
func benchmarked(b *testing.B) (*route.Socket, []Rule) {
	b.Helper()
	c, err := route.Dial(lab.Test(b).NS("a").Config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	rules := make([]Rule, benchSize)
	for i := range rules {
		rules[i] = Rule{
			From:  netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32),
			Table: 20, Priority: Priority(uint32(1000 + i)),
		}
	}
	return c, rules
}

func BenchmarkAll(b *testing.B) {
	c, rules := benchmarked(b)
	if err := AddAll(b.Context(), c, rules); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range All(b.Context(), c, Filter{Family: route.IPv4}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkList(b *testing.B) {
	c, rules := benchmarked(b)
	if err := AddAll(b.Context(), c, rules); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := List(b.Context(), c, Filter{Table: 20}); err != nil || len(got) != benchSize {
			b.Fatalf("%d rules, %v", len(got), err)
		}
	}
}

// BenchmarkAddAll adds many rules and flushes them.
func BenchmarkAddAll(b *testing.B) {
	c, rules := benchmarked(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := AddAll(b.Context(), c, rules); err != nil {
			b.Fatal(err)
		}
		if n, err := Flush(b.Context(), c, Filter{Table: 20}); n != benchSize || err != nil {
			b.Fatalf("flushed %d, %v", n, err)
		}
	}
}

// BenchmarkDeleter deletes more and more rules one by one, after one listing.
// The time for each rule stays the same.
func BenchmarkDeleter(b *testing.B) {
	benchmarkDelete(b, []int{500, 1000, 2000, 4000}, func() deletion { return new(Deleter).Delete })
}

// BenchmarkDelete does the same with a listing for each rule: the time for each
// rule grows with their number.
func BenchmarkDelete(b *testing.B) {
	benchmarkDelete(b, []int{500, 1000}, func() deletion { return Delete })
}

func benchmarkDelete(b *testing.B, sizes []int, deletion func() deletion) {
	c, rules := benchmarked(b)
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				if err := AddAll(b.Context(), c, rules[:n]); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				del := deletion()
				for _, r := range rules[:n] {
					if err := del(b.Context(), c, r); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/rule")
		})
	}
}
