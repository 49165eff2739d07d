package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/explain"
)

// A testResult is the JSON of the command test.
type testResult struct {
	Command string   `json:"command"`
	Tests   []tested `json:"tests"`
	Error   string   `json:"error,omitempty"`
}

// testFile is the command test: it compares the expectations of a file with a host.
func testFile(ctx context.Context, o options, stdout, stderr io.Writer) int {
	c, err := o.loadExpectations(ctx)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	if len(c.expectations) == 0 {
		fmt.Fprintf(stderr, "uplinks: %s has no line that begins with %s\n", c.name, expectWord)
		return exitUsage
	}
	w, status, err := o.expectedWorld(ctx, c)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", errorText(err))
		return status
	}
	r := testResult{Command: o.command, Tests: test(c.expectations, w)}
	failed := 0
	for i := range r.Tests {
		if !r.Tests[i].Holds {
			failed++
			status = exitPending
		}
	}
	if o.json {
		err = writeJSON(stdout, r)
	} else {
		_, err = io.WriteString(stdout, testText(r.Tests, failed, o.github || os.Getenv("GITHUB_ACTIONS") == "true"))
	}
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return status
}

// loadExpectations reads the file of the command line or, without one, uplinks.conf. Both have
// the uplinks that expectations can name.
func (o *options) loadExpectations(ctx context.Context) (*config, error) {
	uplinksFile := *o
	uplinksFile.names = nil
	if len(o.names) == 0 {
		return uplinksFile.load(ctx)
	}
	given := uplinksFile
	given.file, given.namesElsewhere = o.names[0], true
	c, err := given.load(ctx)
	if err != nil {
		return nil, err
	}
	base, err := uplinksFile.load(ctx)
	switch {
	case err == nil:
		c.uplinks = append(c.uplinks, base.uplinks...)
	case errors.Is(err, fs.ErrNotExist): // the file may name no uplinks
	default:
		return nil, err
	}
	return c, setExpectedUplinks(c.expectations, c.uplinks)
}

// expectedWorld returns the state of the host, or of a file, or of the host after up.
func (o *options) expectedWorld(ctx context.Context, c *config) (explain.World, int, error) {
	if o.explain.world != "" {
		w, err := readWorld(o.explain.world)
		return w, exitStatusOf(err, exitUsage), err
	}
	w, conn, err := takeWorld(ctx, *o)
	if err != nil {
		return w, exitFailure, err
	}
	defer conn.Close()
	if !o.planned {
		return w, exitOK, nil
	}
	s := session{ctx: ctx, conn: conn, etc: o.etc, uplinks: c.uplinks, reply: c.reply}
	if err := s.learnDefaults("plan"); err != nil {
		return w, exitFailure, err
	}
	p, err := s.installWith(table.PlanInstall)()
	return w.After(p.Steps), exitStatusOf(err, exitFailure), err
}

func exitStatusOf(err error, status int) int {
	if err == nil {
		return exitOK
	}
	return status
}

// testText returns a line for each expectation, and one for all. For GitHub, failures are
// errors of the workflow.
func testText(all []tested, failed int, github bool) string {
	var b strings.Builder
	for i := range all {
		r := &all[i]
		switch {
		case r.Holds:
			fmt.Fprintf(&b, "%s: ok: %s by %s\n", oneLine(r.position()), oneLine(r.Packet), oneLine(r.By))
		case github:
			fmt.Fprintf(&b, "::error file=%s,line=%d::%s\n", githubValue(r.File), r.Line, githubText(oneLine(r.failure())))
		default:
			fmt.Fprintf(&b, "%s: FAILED: %s\n", oneLine(r.position()), oneLine(r.failure()))
		}
	}
	if failed > 0 {
		fmt.Fprintf(&b, "%d of %s failed\n", failed, plural(len(all), "expectation"))
	} else {
		fmt.Fprintf(&b, "%s ok\n", plural(len(all), "expectation"))
	}
	return b.String()
}

// githubText returns text for a command of a GitHub workflow, and githubValue for a property
// of one.
func githubText(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func githubValue(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(githubText(oneLine(s)))
}
