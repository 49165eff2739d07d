package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

func TestMain(m *testing.M) {
	mountReadOnly()
	runOnSilent()
	lab.Main(m)
}

// A host is a network namespace with two providers, a directory for rt_tables,
// and a file of uplinks.
type host struct {
	*testing.T
	ns   *lab.NS
	net  *lab.NS // the Internet behind the providers
	conn *route.Socket
	etc  string
	file string
	// control is the directory of the control socket.
	control string
}

const rtTables = `#
# reserved values
#
255	local
254	main
253	default
0	unspec
`

func newHost(t *testing.T, config string) *host {
	l := lab.Test(t)
	h := &host{T: t, ns: l.NS("host"), etc: t.TempDir()}
	h.file = filepath.Join(t.TempDir(), "uplinks.conf")
	h.control = filepath.Join(t.TempDir(), "control")
	h.write(h.file, config)
	h.write(filepath.Join(h.etc, "rt_tables"), rtTables)
	h.net = l.NS("net")
	h.ns.Link("eth0", h.net, "g1")
	h.ns.Link("eth1", h.net, "g2")
	h.ns.Addr("eth0", "192.168.1.2/24")
	h.ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	var err error
	if h.conn, err = route.Dial(h.ns.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.conn.Close() })
	h.route("add", "default via 192.168.1.1 dev eth0")
	return h
}

func (h *host) write(path, text string) {
	h.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.Fatal(err)
	}
}

// route adds or deletes a route.
func (h *host) route(verb, words string) {
	h.Helper()
	links, err := route.ListLinks(h.Context(), h.conn)
	if err != nil {
		h.Fatal(err)
	}
	r, err := route.Parse(words, &route.Names{Links: links})
	if err != nil {
		h.Fatal(err)
	}
	do := map[string]func(context.Context, route.Conn, route.Route) error{
		"add": route.Add, "replace": route.Replace, "del": route.Delete,
	}[verb]
	if err := do(h.Context(), h.conn, r); err != nil {
		h.Fatal(err)
	}
}

// rule adds or deletes a rule.
func (h *host) rule(verb, words string) {
	h.Helper()
	r, err := rule.Parse(words, nil)
	if err != nil {
		h.Fatal(err)
	}
	do := rule.Add
	if verb == "del" {
		do = rule.Delete
	}
	if err := do(h.Context(), h.conn, r); err != nil {
		h.Fatal(err)
	}
}

// state returns all routes and rules, and the files in the directory of rt_tables.
func (h *host) state() string {
	h.Helper()
	var lines []string
	for r, err := range route.All(h.Context(), h.conn, route.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		lines = append(lines, "route "+r.Canonical().String())
	}
	slices.Sort(lines)
	for r, err := range rule.All(h.Context(), h.conn, rule.Filter{}) {
		if err != nil {
			h.Fatal(err)
		}
		lines = append(lines, "rule "+r.String())
	}
	err := filepath.WalkDir(h.etc, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("file %s %q", path, b))
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		h.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// run runs a command, checks its exit status, and returns what it printed, with
// the names of the temporary files replaced.
func (h *host) run(status int, args ...string) (stdout, stderr string) {
	h.Helper()
	return h.runIn(h.Context(), status, append([]string{"-n", h.ns.Path()}, args...)...)
}

func (h *host) runIn(ctx context.Context, status int, args ...string) (stdout, stderr string) {
	h.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"-f", h.file, "-etc", h.etc, "-control", h.control}, args...)
	got := run(ctx, args, &out, &errs)
	// All commands of ip(8) are for the namespace of the option -n.
	names := strings.NewReplacer(h.file, "FILE", h.etc, "ETC", h.control, "CONTROL", "nsenter --net="+h.ns.Path()+" ip ", "ip ")
	stdout, stderr = names.Replace(out.String()), names.Replace(errs.String())
	if got != status {
		h.Fatalf("uplinks %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, status, stdout, stderr)
	}
	return stdout, stderr
}

// want runs a command that prints text to standard output and nothing to standard error.
func (h *host) want(text string, status int, args ...string) {
	h.Helper()
	stdout, stderr := h.run(status, args...)
	if stdout != text || stderr != "" {
		h.Errorf("uplinks %s:\n%s%s\nwant\n%s", strings.Join(args, " "), stdout, stderr, text)
	}
}

// unchanged compares the state with an earlier one.
func (h *host) unchanged(before string) {
	h.Helper()
	if after := h.state(); after != before {
		h.Errorf("the state is\n%s\nwant\n%s", after, before)
	}
}
