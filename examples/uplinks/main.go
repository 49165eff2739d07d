package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/maintain"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailure = 1 // the kernel refused, or a privilege is missing
	exitUsage   = 2 // the command line or the file has a fault
	exitPending = 3 // plan: there are steps; status: an uplink is not complete; check: a warning or a fault
	// exitConfig is EX_CONFIG of sysexits.h. Under run it replaces exitUsage: a program in
	// Go that crashes exits with 2, and a service manager has to restart it then, but not
	// after a fault of the file.
	exitConfig = 78
)

func main() {
	// After the first Ctrl-C, up and down undo their steps. A second one kills the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// A session is one run of a command other than run. Its uplinks have the default routes
// that were learned.
type session struct {
	prune bool
	// takesOver means that plan shows the steps of adopt.
	takesOver bool
	// impact means that plan shows which packets go another way.
	impact bool
	// force means that up and adopt break expectations.
	force        bool
	expectations []expectation
	ctx          context.Context
	netns        string // path of the network namespace; empty means that of this process
	// givenNetNS is the namespace as the command line has it.
	givenNetNS string
	etc        string // the directory of the names of tables; empty means /etc/iproute2
	control    controlPlace
	conn       route.Conn
	uplinks    []uplink
	shared     *maintain.Default
	// multihomed are the ports of the line multihome.
	multihomed []uint16
	// reply is the policy for answers, and others are the uplinks of the file that the command
	// line does not select, whose answers it is about as well.
	reply  replyPolicy
	others []uplink
	// onlyPlans means that the command changes nothing.
	onlyPlans bool
	// noDefault has, for each uplink, the reason why its default route is not known, or "".
	noDefault []string
	// lacksNames means that names could not be written to rt_tables, or deleted.
	lacksNames bool
	// ratesOver is the time over which status measures the rates of interfaces. With zero
	// they are those since the sample earlier, if there is one.
	ratesOver time.Duration
	earlier   *sample
	sampled   sample
	report    report
}

// commands maps names to commands. A command puts its result into the report of the
// session, and returns the exit status.
var commands = map[string]func(*session) (int, error){
	"plan": (*session).plan, "up": (*session).up, "down": (*session).down, "status": (*session).status,
	"check":   (*session).check,
	"adopt":   (*session).adopt,
	"recover": (*session).recover,
	"watch":   (*session).status,
	"metrics": (*session).metrics,
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseArgs(args)
	stdout, stderr = &printer{stdout, o.json || o.explain.batch != ""}, &printer{stderr, false}
	if err == errHelp {
		return showHelp(o.requestedTopics(), stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, usageError(o.command, err))
		return faultStatus(slices.Contains(args, "run"))
	}
	switch o.command {
	case "completion":
		return printCompletion(o.names, stdout, stderr)
	case "version":
		return printVersion(o, stdout)
	case "man":
		return printPage(o.names, stdout, stderr)
	case "reload":
		return reload(ctx, o, stdout, stderr)
	case "init":
		return initFile(ctx, o, stdout, stderr)
	case "snapshot":
		return snapshot(ctx, o, stdout, stderr)
	case "test":
		return testFile(ctx, o, stdout, stderr)
	case "explain":
		return explainPackets(ctx, o, stdout, stderr)
	case "picture":
		return drawPicture(ctx, o, stdout, stderr)
	case "trace":
		return traceLookups(ctx, o, stdout, stderr)
	}
	file, err := o.load(ctx)
	switch {
	case err != nil && o.command == "status":
		return statusOfRunning(ctx, o, err, stdout, stderr)
	case err != nil:
		// Each fault is a line that begins with its position, in the form that editors
		// read.
		fmt.Fprintln(stderr, err)
		return faultStatus(o.command == "run")
	case o.command == "run":
		return serve(ctx, o, file, stdout, stderr)
	case o.command == "watch":
		return watch(ctx, o, file, stdout, stderr)
	case o.command == "tap":
		return tap(ctx, o, file, stdout, stderr)
	case o.command == "parse":
		return parseOnly(o, file, stdout, stderr)
	}
	s := &session{
		ctx: showHolders(ctx, stderr), netns: netnsPath(o.netns), givenNetNS: o.netns, etc: o.etc, control: o.controlPlace(), prune: o.prune, takesOver: o.adopt, impact: o.impact, force: o.force, expectations: file.expectations,
		uplinks: file.uplinks, shared: file.shared, multihomed: file.multihomed,
		reply: file.reply, others: file.others,
	}
	if o.command == "status" && terminalOf(stdout, os.Getenv).is() {
		s.ratesOver = rateTime
	}
	if file.isEmpty() && !o.prune {
		s.report.Warnings = append(s.report.Warnings, o.file+noUplinks)
	}
	return s.finish(o, stdout, stderr, nil)
}

// rateTime is the time over which status measures the rates of interfaces for a person.
const rateTime = 250 * time.Millisecond

// faultStatus returns the exit status for a fault of the command line or the file.
func faultStatus(service bool) int {
	if service {
		return exitConfig
	}
	return exitUsage
}

// finish runs the command, and prints its report. The fault of a file is put into the
// report as JSON.
func (s *session) finish(o options, stdout, stderr io.Writer, fault error) int {
	status, err := s.do(o)
	for _, w := range s.report.Warnings {
		fmt.Fprintln(stderr, "uplinks: warning:", oneLine(w))
	}
	if err != nil {
		status, s.report.Error = exitFailure, errorText(err)
		fmt.Fprintln(stderr, "uplinks:", s.report.Error)
	} else if fault != nil && o.json {
		s.report.Error = fault.Error()
	}
	if err := s.report.write(stdout, o); err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return status
}

// do opens the socket, learns default routes, and runs the command.
func (s *session) do(o options) (int, error) {
	conn, err := dial(o.netns)
	if err != nil {
		return exitFailure, err
	}
	defer conn.Close()
	s.conn = conn
	if err := s.learnDefaults(o.command); err != nil {
		return exitFailure, err
	}
	for _, u := range s.uplinks {
		s.report.Uplinks = append(s.report.Uplinks, newEntry(u))
	}
	return commands[o.command](s)
}

// learnDefaults sets the default routes that are learned. An uplink without one cannot be
// installed, but it can be removed, which needs only the family.
func (s *session) learnDefaults(command string) error {
	s.noDefault = make([]string, len(s.uplinks))
	for i := range s.uplinks {
		u := &s.uplinks[i]
		if u.Learn == 0 {
			continue
		}
		resolved, err := u.Resolve(s.ctx, s.conn)
		_, reason, ok := problemOf(err)
		switch {
		case err == nil:
			u.SourceRoutedUplink = resolved
		case ok && command != "plan" && command != "up" && command != "adopt":
			s.noDefault[i] = reason
			u.Family = u.Learn
		default:
			return err
		}
	}
	return nil
}

// tableUplinks returns the uplinks in the type of package table.
func (s *session) tableUplinks() []table.SourceRoutedUplink {
	var all []table.SourceRoutedUplink
	for _, u := range s.uplinks {
		all = append(all, u.SourceRoutedUplink)
	}
	return all
}

// resolvedUplinks returns the uplinks whose default route is known.
func (s *session) resolvedUplinks() []table.SourceRoutedUplink {
	var all []table.SourceRoutedUplink
	for _, i := range s.resolvedIndexes() {
		all = append(all, s.uplinks[i].SourceRoutedUplink)
	}
	return all
}

// resolvedIndexes returns the indexes of the uplinks whose default route is known.
func (s *session) resolvedIndexes() []int {
	var all []int
	for i := range s.uplinks {
		if s.noDefault[i] == "" {
			all = append(all, i)
		}
	}
	return all
}

// netnsPath returns the path of a network namespace. Its argument is a path, a name that
// "ip netns" gave, or "" for the namespace of this process, for which it returns "".
func netnsPath(netns string) string {
	if netns == "" {
		return ""
	}
	return rtnl.NetNSPath(netns)
}

// openNetns opens a network namespace.
func openNetns(path string) (*os.File, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, &enterError{path, errors.Unwrap(err)}
	}
	return f, nil
}

// dial opens a socket in a network namespace.
func dial(netns string) (*route.Socket, error) {
	path := netnsPath(netns)
	if path == "" {
		return route.Dial(nil)
	}
	f, err := openNetns(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the socket does not need the file
	conn, err := route.Dial(&netlink.Config{NetNS: int(f.Fd())})
	if err != nil {
		return nil, &enterError{path, err}
	}
	return conn, nil
}
