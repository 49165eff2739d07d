package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

func main() {
	p := program{
		name: filepath.Base(os.Args[0]), in: os.Stdin, out: os.Stdout, err: os.Stderr, files: files.Dir("/"),
		terminal: isCharDevice(os.Stdout), colorFGBG: os.Getenv("COLORFGBG"),
	}
	os.Exit(p.run(os.Args[1:]))
}

// A program is one run of the program.
type program struct {
	options
	name     string // by which it was called
	in       io.Reader
	out, err io.Writer
	files    fs.FS // the root directory, with the files of names of tables, protocols and so on

	terminal  bool   // out is a terminal
	colorFGBG string // the environment variable COLORFGBG

	// Commands set these when they first need them, see dial and loadNames.
	conn  *route.Socket
	names *route.Names
}

// objects are the objects that have commands.
var objects = []keyword[program]{
	{short: []string{"route"}, read: (*program).route},
	{short: []string{"rule"}, read: (*program).rule},
	{short: []string{"help"}, read: func(*program, *words) error { return usageFailure(helpIP) }},
}

// run runs the command line, and returns the exit status.
func (p *program) run(args []string) int {
	out := bufio.NewWriter(p.out)
	p.out = out
	defer p.close()
	w := &words{args: args}
	err := p.readOptions(w)
	p.setColors(p.terminal, p.colorFGBG)
	// As ip(8), the program can be called iproute or iprule.
	object, named := strings.CutPrefix(p.name, "ip")
	switch {
	case errors.Is(err, errVersion):
		_, err = io.WriteString(p.out, version)
	case err != nil:
	case p.batch != "":
		err = p.runBatch()
	case named && object != "":
		err = p.object(object, w)
	case !w.more():
		err = usageFailure(helpIP)
	default:
		err = p.command(w)
	}
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = failf(1, "write: %v", flushed)
	}
	return p.report(err)
}

// command executes the words of one command: object, verb, arguments.
func (p *program) command(w *words) error { return p.object(w.take(), w) }

// object executes the words of a command after the object.
func (p *program) object(object string, w *words) error {
	k := find(objects, object)
	if k == nil {
		return failf(1, `Object "%s" is unknown, try "ip help".`, object)
	}
	return k.read(p, w)
}

// dial opens the socket in the namespace of the options.
func (p *program) dial() error {
	if p.conn != nil {
		return nil
	}
	config := &netlink.Config{}
	if p.netns != "" {
		f, err := files.Open(rtnl.NetNSPath(p.netns))
		if err != nil {
			return &failure{status: 255, fatal: true, cause: err,
				text: fmt.Sprintf(`Cannot open network namespace "%s": %s`, p.netns, errnoText(err))}
		}
		defer f.Close()
		config.NetNS = int(f.Fd())
	}
	var err error
	if p.conn, err = route.Dial(config); err != nil {
		return fatalf(1, "Cannot open netlink socket: %s", errnoText(err))
	}
	return nil
}

func (p *program) close() {
	if p.conn != nil {
		p.conn.Close()
	}
}

// loadNames reads the files of names once, and warns about faults in them.
func (p *program) loadNames() {
	if p.names != nil {
		return
	}
	names, err := rttables.Load(p.files)
	p.names = &route.Names{Files: names}
	for _, err := range joinedErrors(err) {
		var damaged *rttables.SyntaxError
		if errors.As(err, &damaged) {
			p.warnf("Database /%s is corrupted at %s", damaged.File, damaged.Text)
		}
	}
}

// joinedErrors returns the errors that errors.Join has joined.
func joinedErrors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// errnoText returns the text of an error as strerror(3) has it, if it is an error of the
// system.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
