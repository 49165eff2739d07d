package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

func main() {
	p := program{in: os.Stdin, out: os.Stdout, err: os.Stderr, files: os.DirFS("/")}
	os.Exit(p.run(os.Args[1:]))
}

// A program is one run of ip.
type program struct {
	options
	in       io.Reader
	out, err io.Writer
	files    fs.FS // with the names of tables, protocols and so on

	// What commands need, once they have asked for it.
	conn  *route.Socket
	names *route.Names
}

// objects are what there are commands for.
var objects = []keyword[program]{
	{short: []string{"route"}, read: (*program).route},
	{short: []string{"rule"}, read: (*program).rule},
	{short: []string{"help"}, read: func(*program, *words) error { return usage(helpIP) }},
}

// run does what the arguments say, and returns the exit status.
func (p *program) run(args []string) int {
	out := bufio.NewWriter(p.out)
	p.out = out
	defer p.close()
	w := &words{args: args}
	err := p.readOptions(w)
	switch {
	case errors.Is(err, errVersion):
		_, err = io.WriteString(p.out, version)
	case err != nil:
	case p.batch != "":
		err = p.runBatch()
	case !w.more():
		err = usage(helpIP)
	default:
		err = p.command(w)
	}
	if flushed := out.Flush(); err == nil && flushed != nil {
		err = fail(1, "write: %v", flushed)
	}
	return p.report(err)
}

// command executes the words of one command: object, verb, arguments.
func (p *program) command(w *words) error {
	object := w.take()
	k := find(objects, object)
	if k == nil {
		return fail(1, `Object "%s" is unknown, try "ip help".`, object)
	}
	return k.read(p, w)
}

// dial opens the socket, in the namespace that the options name.
func (p *program) dial() error {
	if p.conn != nil {
		return nil
	}
	config := &netlink.Config{}
	if p.netns != "" {
		f, err := os.Open(rtnl.NetNSPath(p.netns))
		if err != nil {
			return &failure{status: 255, ends: true, cause: err,
				text: fmt.Sprintf(`Cannot open network namespace "%s": %s`, p.netns, errnoText(err))}
		}
		defer f.Close()
		config.NetNS = int(f.Fd())
	}
	var err error
	if p.conn, err = route.Dial(config); err != nil {
		return fatal(1, "Cannot open netlink socket: %s", errnoText(err))
	}
	return nil
}

func (p *program) close() {
	if p.conn != nil {
		p.conn.Close()
	}
}

// load reads the files with names, and says what is wrong with them, once.
func (p *program) load() {
	if p.names != nil {
		return
	}
	names, err := rttables.Load(p.files)
	p.names = &route.Names{Files: names}
	for _, err := range unjoin(err) {
		var damaged *rttables.SyntaxError
		if errors.As(err, &damaged) {
			p.warn("Database /%s is corrupted at %s", damaged.File, damaged.Text)
		}
	}
}

// unjoin is the errors that errors.Join has made one of.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// errnoText is an error in strerror(3)'s words, if it is one of the system's.
func errnoText(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
