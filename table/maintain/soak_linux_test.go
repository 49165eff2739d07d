package maintain_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// soakFor is how long TestSoak takes with -full.
var soakFor = flag.Duration("soak", 30*time.Minute, "how long the soak test of Run takes with -full")

// A burden is the memory, goroutines and descriptors of a process.
type burden struct {
	heap, resident          uint64 // bytes
	goroutines, descriptors int
}

func (b burden) String() string {
	return fmt.Sprintf("heap %5d KiB, resident %6d KiB, %d goroutines, %d descriptors",
		b.heap>>10, b.resident>>10, b.goroutines, b.descriptors)
}

// measure takes the least of several looks: a transaction under way has a goroutine
// and a descriptor more.
func measure(t *testing.T) burden {
	t.Helper()
	least := burdenNow(t)
	for range 9 {
		time.Sleep(5 * time.Millisecond)
		b := burdenNow(t)
		least.heap, least.resident = min(least.heap, b.heap), min(least.resident, b.resident)
		least.goroutines, least.descriptors = min(least.goroutines, b.goroutines), min(least.descriptors, b.descriptors)
	}
	return least
}

func burdenNow(t *testing.T) burden {
	t.Helper()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b := burden{heap: m.HeapAlloc, goroutines: runtime.NumGoroutine()}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	b.descriptors = len(fds)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size uint64
	if _, err := fmt.Sscan(string(statm), &size, &b.resident); err != nil {
		t.Fatal(err)
	}
	b.resident *= uint64(os.Getpagesize())
	return b
}

// While the uplinks change all the time, Run needs no more memory, goroutines and
// descriptors than at the beginning.
func TestSoak(t *testing.T) {
	w := newWorld(t, 1)
	w.untap()
	k := newKeeper(w.Network, maintain.Config{Rate: 1000}, w.uplinks()...)
	length := map[bool]time.Duration{true: *soakFor, false: 3 * time.Second}[tabletest.Full()]
	var first, last burden
	operations, begin := 0, time.Now()
	const parts = 15
	for part := range parts {
		for time.Since(begin) < length*time.Duration(part+1)/parts {
			w.operation().do()
			w.expect()
			operations++
			time.Sleep(10 * time.Millisecond)
			k.mu.Lock()
			k.events = k.events[:0]
			k.mu.Unlock()
		}
		last = measure(t)
		t.Logf("after %v and %d operations: %s; %s", time.Since(begin).Round(time.Second), operations, last, &k.counters)
		if part == 2 {
			first = last
		}
	}
	if last.goroutines > first.goroutines || last.descriptors > first.descriptors ||
		last.heap > first.heap+first.heap/2+1<<20 || last.resident > first.resident+first.resident/2+8<<20 {
		t.Errorf("it takes more and more, from\n%s to\n%s", first, last)
	}
	if w.look(); !w.there {
		w.make()
	}
	w.bringUp(w.leases())
	w.expect()
	k.until("the uplinks are whole", func() bool { return w.got() == w.want() })
}
