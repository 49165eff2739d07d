//go:build linux

package route

import (
	"net/netip"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

// benchmarked makes a namespace with n routes in table 10.
func benchmarked(b *testing.B, n int) *Socket {
	b.Helper()
	l := lab.Test(b)
	ns, far := l.NS("a"), l.NS("b")
	ns.Link("eth0", far, "eth0")
	ns.Addr("eth0", "192.168.1.6/24")
	c, err := Dial(ns.Config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	var batch Batch
	for i := range n {
		batch.Add(numbered(i))
	}
	if err := batch.Do(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return c
}

// benchSize is the number of routes that are listed and added at once.
const benchSize = 10_000

func BenchmarkAll(b *testing.B) {
	c := benchmarked(b, benchSize)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range All(b.Context(), c, table10) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkList(b *testing.B) {
	c := benchmarked(b, benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if routes, err := List(b.Context(), c, table10); err != nil || len(routes) != benchSize {
			b.Fatalf("%d routes, %v", len(routes), err)
		}
	}
}

// BenchmarkReplace replaces one route, one request at a time.
func BenchmarkReplace(b *testing.B) {
	c := benchmarked(b, 1)
	r := numbered(0)
	b.ReportAllocs()
	for b.Loop() {
		if err := Replace(b.Context(), c, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatch adds many routes and deletes them.
func BenchmarkBatch(b *testing.B) {
	c := benchmarked(b, 0)
	var batch Batch
	b.ReportAllocs()
	for b.Loop() {
		for i := range benchSize {
			batch.Add(numbered(i))
		}
		for i := range benchSize {
			batch.Delete(numbered(i))
		}
		if err := batch.Do(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	c := benchmarked(b, 0)
	q := Query{Dst: netip.MustParseAddr("192.168.1.1")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Lookup(b.Context(), c, q); err != nil {
			b.Fatal(err)
		}
	}
}
