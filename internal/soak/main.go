// Soak runs "uplinks run" for an hour among hostile neighbours, and counts what goes wrong.
//
//	cd internal/soak && go run . [-for 1h] [-seed N] [-only KIND,...] [-skip KIND,...]
//		[-uplinks FILE] [-log FILE] [-v] [-json]
//
// It makes a host with three uplinks, four routers and a LAN in network namespaces, builds
// examples/uplinks, and runs it with a file of five lines, of both families. Programs on the
// host send packets from the addresses of the uplinks all the time, and every packet carries
// the number of the epoch in which it was sent. Taps where the routers receive tell by which
// wire each packet left.
//
// Meanwhile disturbances come in rounds. In each round one to three things happen at the same
// time: a wire fails, another program deletes what the uplinks need, the daemon is killed, its
// file changes. All but what was done to the daemon is undone, and the round measures how long
// it takes until the rules and routes are what they were at the beginning. The state is read
// from the kernel, never from the log. Next to the rounds ordinary users attack, other
// programs flood the kernel with events, and the file system of rt_tables fills up.
//
// # What counts as astray
//
// A packet from an address of an uplink may be lost or refused while its wire is out. It must
// never leave by another wire. It may leave by another wire only after another program, with
// the privilege for it, has deleted or overruled the rules of the address, or an administrator
// has taken the uplink out of the file; and only in the epochs from then until the state is
// complete again. These packets are counted as exposed, all others as astray. An epoch ends
// only when no sender is in the middle of a packet, so no clock decides.
//
// # Result
//
// The program prints a table of figures, and exits with 1 if a packet went astray, if the state
// was not complete in time or at the end, if the daemon ended by itself, crashed, or gave no
// sign of life, if it wrote control characters, if its memory or the number of its descriptors
// or goroutines grew, or if "uplinks down" left something in the kernel. The log of a run
// that failed is kept, with the seed. The status is 2 if the program itself could not go on.
//
// A seed repeats the choice of disturbances, and not their timing. Everything happens in user,
// network and mount namespaces of the program, with a /run and an /etc/iproute2 of their own.
// No privileges are needed. As root, the attackers are another user; else they are root of a
// user namespace that owns nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are the options of the command line.
type options struct {
	length  time.Duration
	seed    uint64
	only    string
	skip    string
	uplinks string
	log     string
	verbose bool
	json    bool
}

func main() {
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var o options
	flag.DurationVar(&o.length, "for", time.Hour, "how long it takes")
	flag.Uint64Var(&o.seed, "seed", 0, "repeats the disturbances of another run (default: random)")
	flag.StringVar(&o.only, "only", "", "only these kinds of disturbances, with commas between them")
	flag.StringVar(&o.skip, "skip", "", "all kinds of disturbances but these, with commas between them")
	flag.StringVar(&o.uplinks, "uplinks", "", "a built examples/uplinks (default: it is built)")
	flag.StringVar(&o.log, "log", "", "keep the log in this file (default: only after a failure, in a temporary file)")
	flag.BoolVar(&o.verbose, "v", false, "print each round")
	flag.BoolVar(&o.json, "json", false, "print the figures as JSON")
	flag.Parse()
	if flag.NArg() > 0 || o.length <= 0 {
		fmt.Fprintln(os.Stderr, "usage: go run . [-for 1h] [-seed N] [-only KIND,...] [-skip KIND,...] [-uplinks FILE] [-log FILE] [-v] [-json]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	f, err := soak(ctx, os.Stderr, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if o.json {
		err = f.writeJSON(os.Stdout)
	} else {
		err = f.write(os.Stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	case len(f.Faults) > 0:
		os.Exit(1)
	}
}

// soak does all of it, and returns the figures. What goes wrong with the daemon is in the
// figures; the error is about the program itself.
func soak(ctx context.Context, stderr io.Writer, o options) (f *figures, err error) {
	if o.seed == 0 {
		o.seed = rand.Uint64N(1_000_000) + 1
	}
	dir, err := makeDir()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeDir(dir)) }()
	log, err := newRecord(filepath.Join(dir, "log"), stderr, o.verbose)
	if err != nil {
		return nil, err
	}
	defer log.close()
	binary := o.uplinks
	if binary == "" {
		if binary, err = build(ctx, dir); err != nil {
			return nil, err
		}
	}
	w, err := newWorld(dir, binary, o, log)
	if err != nil {
		return nil, err
	}
	f, err = w.run(ctx)
	err = errors.Join(err, w.close())
	if f != nil && (o.log != "" || len(f.Faults) > 0 || err != nil) {
		var e error
		f.Log, e = log.keep(o.log, o.seed)
		err = errors.Join(err, e)
	}
	return f, err
}

// chooses reports whether the options choose a kind of disturbance.
func (o *options) chooses(name string) bool {
	return (o.only == "" || slices.Contains(strings.Split(o.only, ","), name)) && !slices.Contains(strings.Split(o.skip, ","), name)
}
