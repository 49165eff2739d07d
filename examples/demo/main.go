// Demo shows what policy routing does, and counts every packet.
//
// A server has two ways to the Internet. Without policy routing it sends all replies by the
// default route of table main, whichever way the request came in, and providers drop such
// replies. The demo builds that network out of network namespaces, and shows a connection
// that gets no answer. It installs two uplinks with package table, and shows that the
// connection works. It installs a policy of package reply, and shows that a UDP server that
// listens on all addresses then answers correctly. Then it sends mail one way and web
// traffic the other way. At the end it removes everything, and checks that the state is the
// same as before. It does all that for IPv4 and for IPv6.
//
//	go run ./examples/demo
//
// It runs on Linux, as root or as an ordinary user. It needs no other program, does not
// change the network of the machine, and cleans up after itself.
//
// The files: network.go builds the network and services.go its services. story.go, udp.go
// and ports.go have the steps, and trace.go prints the requests for -v. calls.go makes
// connections and counts their packets, and state.go compares the state of the kernel.
// listing.go and print.go write the output.
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
	"syscall"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/reply"
)

const usage = `usage: go run ./examples/demo [-v]

Builds a server with two ways to the Internet out of network namespaces, and
shows, with every packet counted, what happens to its connections without
policy routing, with it, and after it is removed again.

Runs on Linux, as root or as an ordinary user. The network of this machine is
not changed, and the demo cleans up after itself.

  -v   also print each netlink request that the library sends, in the words of ip(8)
  -h   print this

The exit status is 0 if every observation is as expected, otherwise 1.
Colours are for terminals, and off if NO_COLOR is set.
`

func main() { os.Exit(start(os.Args[1:], libraryOperations)) }

// The operations are the functions of package table that change the server. Tests replace
// them with wrong ones, to check that the demo notices.
type operations struct {
	install, remove func(context.Context, route.Conn, ...table.SourceRoutedUplink) error
	reply           func(context.Context, route.Conn, reply.Policy, ...reply.Uplink) error

	// patience is how long to wait for an event that should happen. The demo waits
	// that long only if the event does not happen.
	patience time.Duration
}

var libraryOperations = operations{install: table.Install, remove: table.Remove, reply: reply.Install, patience: 10 * time.Second}

// start runs the demo with arguments, and returns the exit status.
func start(args []string, ops operations) int {
	var verbose bool
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // -h goes to standard output, which flag cannot do
	flags.BoolVar(&verbose, "v", false, "")
	err := flags.Parse(args)
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return 0
	case err != nil:
		return complain(fmt.Errorf("%w (-h explains)", err))
	case runtime.GOOS != "linux":
		return complain(fmt.Errorf("this needs Linux and its network namespaces; it cannot run on %s", runtime.GOOS))
	}

	// For an ordinary user, Enter runs the program again as root of a new user
	// namespace, and does not return.
	if err := lab.Enter(); err != nil {
		return complain(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	switch err := run(ctx, newPrinter(os.Stdout, verbose), ops); {
	case errors.Is(err, errFailed):
		return 1
	case err != nil:
		return complain(err)
	}
	return 0
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "demo:", err)
	return 1
}

// endSignals returns the signals that end the demo early, after it has cleaned up. A closed
// pipe, as in "demo | head", is one of them. Signals that nohup(1) ignores stay ignored.
func endSignals() []os.Signal {
	var all []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	return all
}

// errFailed is the result of a demo that ran to its end with a failed observation. The
// output has the observation.
var errFailed = errors.New("an observation failed")

// run builds the network, tells the story and removes everything.
func run(ctx context.Context, p *printer, ops operations) error {
	startTime := time.Now()
	p.title("A server with two ways to the Internet")
	p.say("Server, routers and client are network namespaces of this process; the network of this " +
		"machine is not changed. Both routers drop packets from the server whose source is not in " +
		"their own subnet, as providers do, because the source might be forged. For IPv4 they use rp_filter=1. " +
		"IPv6 has no such filter, so each router has two rules instead: at 100 \"from SUBNET iif lan " +
		"lookup main\", and at 101 \"iif lan blackhole\". A service on port 1194, by TCP and by UDP, which " +
		"echoes what it receives, plays the VPN. The demo counts packets on the wire, on each router's link to " +
		"the server: packets to the server, and packets from the server.")

	n, err := build(p)
	if err == nil {
		err = n.tell(ctx, p, ops)
	}
	err = errors.Join(err, n.close())
	switch {
	case p.err != nil:
		return p.err
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	return p.summary(time.Since(startTime), n.omitted())
}

// tell tells the story, once in each family.
func (n *network) tell(ctx context.Context, p *printer, ops operations) error {
	for _, plan := range n.plans {
		s := &story{network: n, plan: plan, p: p, ops: ops}
		if err := s.tell(ctx); err != nil {
			return fmt.Errorf("%s: %w", plan.title, err)
		}
	}
	return nil
}
