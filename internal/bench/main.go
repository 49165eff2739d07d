// Bench compares the speed of this library with vishvananda/netlink, jsimonetti/rtnetlink,
// ip(8), and the raw limit: hand-coded loops that do the minimum work the kernel requires.
//
//	cd internal/bench && go run . [-n 100000] [-rounds 5] [-only NAME] [-md]
//
// Everything runs in one process, in network namespaces that it makes. The network of the
// machine is not changed. The subjects of a row take turns. A ratio compares two runs of the
// same round.
//
// A time is the processor time, user and system, of all threads of the process. So it hardly
// depends on the load of the machine, and it includes the work of the garbage collector on
// other processors. The time of ip is that of its process, including the start. Allocations
// and bytes are those of the Go runtime. Memory is the highest resident size during a run
// minus the size before it, or the whole resident size for ip. The process returns unused
// memory to the system only before the first round. System calls are counted by the raw limit
// and by this library. The other subjects have no counter.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// options are the options of the command line.
type options struct {
	n, rounds int
	only      string
	md        bool
}

func main() {
	if err := lab.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var o options
	flag.IntVar(&o.n, "n", 100_000, "routes in a table; the largest listing has ten times as many")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each is measured")
	flag.StringVar(&o.only, "only", "", "only rows whose name contains this")
	flag.BoolVar(&o.md, "md", false, "print the tables of README.md")
	flag.Parse()
	if flag.NArg() > 0 || o.n < 1000 || o.n > 1_000_000 || o.rounds < 1 {
		fmt.Fprintln(os.Stderr, "usage: go run . [-n 1000…1000000] [-rounds 5] [-only NAME] [-md]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	if _, err := bench(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench measures the rows, prints the results and returns them.
func bench(ctx context.Context, out io.Writer, o options) ([]*result, error) {
	start := time.Now()
	l := lab.New()
	defer l.Close()
	var results []*result
	for _, group := range []func(*world, options) ([]row, error){codecGroup, writeGroup, ruleGroup, growthGroup, lookupGroup, listGroup, eventGroup} {
		w, err := newWorld(ctx, l, "bench")
		if err != nil {
			return nil, err
		}
		some, err := w.measureGroup(group, out, o)
		w.close()
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	if o.md {
		fmt.Fprintf(out, "%s, %d processors, Linux %s, %s, %d rounds, in %s.\n\n", processor(), runtime.NumCPU(), kernel(), runtime.Version(),
			o.rounds, time.Since(start).Round(time.Second))
		printMarkdown(out, results)
	}
	if err := runGrowth(ctx, l, out, o); err != nil {
		return nil, err
	}
	if strings.Contains("watch", o.only) {
		if err := runWatch(ctx, l, out, o); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// measureGroup measures the rows of a group that o selects.
func (w *world) measureGroup(rows func(*world, options) ([]row, error), out io.Writer, o options) ([]*result, error) {
	all, err := rows(w, o)
	if err != nil {
		return nil, err
	}
	var results []*result
	for _, r := range all {
		if !strings.Contains(r.name, o.only) {
			continue
		}
		res := &result{row: r, samples: make(map[string][]sample)}
		for round := range o.rounds {
			if err := errors.Join(res.measureRound(round), w.ctx.Err()); err != nil {
				return nil, err
			}
		}
		results = append(results, res)
		if !o.md {
			printPlain(out, res)
		}
	}
	return results, nil
}

func codecGroup(w *world, _ options) ([]row, error) { return w.codecRows() }

func writeGroup(w *world, o options) ([]row, error) {
	add, err1 := w.addRow(o.n)
	del, err2 := w.deleteRow(o.n)
	flush, err3 := w.flushRow(min(o.n, 10_000))
	one, err4 := w.oneRow()
	return []row{add, del, flush, one}, errors.Join(err1, err2, err3, err4)
}

func ruleGroup(w *world, o options) ([]row, error) {
	n := min(o.n, 10_000)
	up, err1 := w.uplinkRow()
	install, err2 := w.installRow(n)
	return append([]row{up, install}, w.listRulesRows(n)...), errors.Join(err1, err2)
}

// growthGroup returns the rows with growing numbers of addresses and uplinks.
func growthGroup(w *world, o options) ([]row, error) {
	addresses, uplinks := []int{10, 100, 1000, 5000}, []int{1, 10, 100, 500}
	if o.n < 10_000 { // for tests
		addresses, uplinks = addresses[:2], uplinks[:2]
	}
	return w.growthRows(addresses, uplinks)
}

func lookupGroup(w *world, _ options) ([]row, error) { return w.lookupRows() }

// listGroup returns the rows that list tables of growing size, and a small table next to them.
func listGroup(w *world, o options) ([]row, error) {
	return append([]row{w.listRow(o.n)}, w.allRows(o.n)...), nil
}

func runWatch(ctx context.Context, l *lab.Lab, out io.Writer, o options) error {
	w, err := newWorld(ctx, l, "watch")
	if err != nil {
		return err
	}
	defer w.close()
	seen, total, err := w.watch(o.n)
	if err != nil {
		return err
	}
	if o.md {
		fmt.Fprintln(out)
	}
	printWatch(out, seen, total)
	return nil
}

// processor returns the name of the processor.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	_, s, _ := strings.Cut(string(b), "model name")
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimLeft(s, " \t:")
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}
