package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/check"
	"github.com/policyroute/policyroute/table/discover"
)

// initHead begins the file that init prints.
const initHead = `# The uplinks of this host, as "uplinks init" found them. Below each comment is the
# line that it explains. To move to these uplinks without losing a packet:
#
#     uplinks plan     shows the changes
#     uplinks adopt    makes them
#
# Then remove the commands that have made the tables and rules until now, for example
# in /etc/rc.local, and start uplinks-run.service.
`

// initFile prints a file for the host as it is.
func initFile(ctx context.Context, o options, stdout, stderr io.Writer) int {
	conn, err := dial(o.netns)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", errorText(err))
		return exitFailure
	}
	defer conn.Close()
	host, err := discover.Read(ctx, conn, o.etc)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", errorText(err))
		return exitFailure
	}
	f := newInitText(host)
	services, err := check.ListServices(ctx, conn)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks: warning: the servers of this host are not known:", errorText(err))
	}
	f.proposeReplies(services)
	if len(f.uplinks) == 0 {
		fmt.Fprintln(stderr, "uplinks: warning: this host has no default route to make an uplink from")
	}
	if o.json {
		r := report{Command: o.command, Uplinks: []*entry{}, Proposals: f.proposals}
		for i, u := range f.uplinks {
			e := newEntry(u)
			e.Reasons = f.reasons[i]
			r.Uplinks = append(r.Uplinks, e)
		}
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err = enc.Encode(r)
	} else {
		_, err = io.WriteString(stdout, f.b.String())
	}
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return exitOK
}

// An initText is the file that init prints.
type initText struct {
	b       strings.Builder
	lines   string // the uplinks, without comments
	uplinks []uplink
	reasons [][]string // of each uplink
	// proposals are lines that the file has as comments.
	proposals []string
}

// proposeReplies adds lines about answers as comments, if there are several interfaces that
// answers can leave by.
func (f *initText) proposeReplies(s check.Services) {
	devs := make(map[string]bool)
	for _, u := range f.uplinks {
		devs[u.Interface] = true
	}
	if len(devs) < 2 {
		return
	}
	propose := func(line, format string, args ...any) {
		fmt.Fprintf(&f.b, "\n"+format+"\n#\n# %s\n", append(args, line)...)
		f.proposals = append(f.proposals, line)
	}
	if len(s.UDP) > 0 {
		line := replyWord + " udp"
		for _, port := range s.UDP {
			line += fmt.Sprintf(" %d", port)
		}
		propose(line, "# UDP servers listen on all addresses. With the line below, without its #, their answers\n"+
			"# leave by the uplink that the question came from. Leave out ports that need no clients\n# from the Internet.")
	}
	if len(s.Published) > 0 {
		propose(replyWord+" forwarded", "# Ports are published (DNAT) in %s. With the line below,\n"+
			"# without its #, answers from there leave by the uplink that the question came from.", iptext.Printable(s.Published[0]))
	}
}

func newInitText(host *discover.Host) *initText {
	f := new(initText)
	f.b.WriteString(initHead)
	for _, u := range host.Uplinks {
		f.add(u)
	}
	if len(host.Others) > 0 {
		f.b.WriteString("\n# These interfaces have no default route, so they are not uplinks:\n#\n")
	}
	for _, o := range host.Others {
		fmt.Fprintf(&f.b, "#     %s", o.Name)
		for _, a := range o.Addresses {
			fmt.Fprintf(&f.b, " %s", a)
		}
		f.b.WriteString("\n")
	}
	if len(host.Rules) > 0 {
		f.b.WriteString("\n# adopt does not change these rules:\n#\n")
	}
	for _, r := range host.Rules {
		fmt.Fprintf(&f.b, "#     %s\n", r)
	}
	return f
}

// add adds an uplink, as a comment if the line is not allowed in a file or is needless.
func (f *initText) add(found discover.Uplink) {
	u := uplink{Uplink: found.Uplink}
	u.Name = safeName(u.Name)
	f.b.WriteString("\n")
	for _, reason := range found.Reasons {
		fmt.Fprintf(&f.b, "# %s\n", reason)
	}
	line := u.String() + "\n"
	parsed, err := parseConfig("", f.lines+line)
	switch {
	case iptext.PrintableLines(line) != line:
		fmt.Fprintf(&f.b, "# This line cannot be in a file: a name has characters that cannot be printed\n# %s", line)
	case err != nil:
		_, reason, _ := strings.Cut(err.Error(), ": ")
		fmt.Fprintf(&f.b, "# This line cannot be in a file: %s\n# %s", reason, line)
	case found.Needless:
		fmt.Fprintf(&f.b, "# %s", line)
	default:
		f.b.WriteString(line)
		f.lines += line
		f.uplinks = append(slices.Clone(f.uplinks), parsed.uplinks[len(parsed.uplinks)-1])
		f.reasons = append(f.reasons, found.Reasons)
	}
}

// safeName returns a name that a line can begin with.
func safeName(name string) string {
	_, isWord := uplinkWords.Find(name)
	if isWord || slices.Contains([]string{sharedWord, multihomeWord, replyWord, expectWord}, name) || new(rttables.File).Set(1, name, "") != nil || len(strings.Fields(name)) != 1 ||
		strings.Contains(name, "#") || iptext.Quote(name) != name {
		clean := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
				return r
			}
			return '-'
		}, name)
		return "uplink-" + clean
	}
	return name
}
