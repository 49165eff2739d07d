// Bench measures this library beside vishvananda/netlink, jsimonetti/rtnetlink,
// ip(8), and the raw limit: the same work by loops that do what the kernel makes
// necessary and no more.
//
//	cd internal/bench && go run . [-n 100000] [-rounds 5] [-only NAME] [-md]
//
// Everything happens in one process and in network namespaces that it makes;
// the network of the machine is not touched. The subjects of a row take turns,
// and ratios are of two runs of the same round.
//
// A time is the processor time, user and system, of all threads of the process:
// what it is on an idle machine it is, nearly, on one with other work, and what
// the garbage collector does on another processor counts. That of ip is its
// own, the start included. Allocations and bytes are the runtime's; memory is the
// highest resident size during a run less that before it, of ip all of it. Only
// before the first round does the process give back the memory that it does not
// use.
// System calls are counted where they are made, by the raw limit and by this
// library; the others have no counter.
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

// options are the command line.
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
	flag.BoolVar(&o.md, "md", false, "print the tables of the README")
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

// bench measures and prints, and returns what it measured.
func bench(ctx context.Context, out io.Writer, o options) ([]*result, error) {
	start := time.Now()
	l := lab.New()
	defer l.Close()
	var results []*result
	for _, group := range []func(*world, options) ([]row, error){codecs, writes, rules, lookups, listings} {
		w, err := newWorld(ctx, l, "bench")
		if err != nil {
			return nil, err
		}
		some, err := w.group(group, out, o)
		w.close()
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	if o.md {
		fmt.Fprintf(out, "%s, %d processors, Linux %s, %s, %d rounds, in %s.\n\n", processor(), runtime.NumCPU(), kernel(), runtime.Version(),
			o.rounds, time.Since(start).Round(time.Second))
		markdown(out, results)
	}
	if strings.Contains("watch", o.only) {
		if err := watching(ctx, l, out, o); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// group measures the rows of a group that o selects.
func (w *world) group(rows func(*world, options) ([]row, error), out io.Writer, o options) ([]*result, error) {
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
			if err := errors.Join(res.do(round), w.ctx.Err()); err != nil {
				return nil, err
			}
		}
		results = append(results, res)
		if !o.md {
			plain(out, res)
		}
	}
	return results, nil
}

func codecs(w *world, _ options) ([]row, error) { return w.codecRows() }

func writes(w *world, o options) ([]row, error) {
	add, err1 := w.addRow(o.n)
	del, err2 := w.deleteRow(o.n)
	flush, err3 := w.flushRow(min(o.n, 10_000))
	one, err4 := w.oneRow()
	return []row{add, del, flush, one}, errors.Join(err1, err2, err3, err4)
}

func rules(w *world, o options) ([]row, error) {
	n := min(o.n, 10_000)
	up, err1 := w.uplinkRow()
	install, err2 := w.installRow(n)
	return append([]row{up, install}, w.listRulesRows(n)...), errors.Join(err1, err2)
}

func lookups(w *world, _ options) ([]row, error) { return w.lookupRows() }

// listings are over tables of growing size, beside a small one.
func listings(w *world, o options) ([]row, error) {
	return append([]row{w.listRow(o.n)}, w.growing(o.n)...), nil
}

func watching(ctx context.Context, l *lab.Lab, out io.Writer, o options) error {
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
	watchTable(out, seen, total)
	return nil
}

// processor is the name of the machine's.
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
