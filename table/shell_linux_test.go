package table_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/plan"
)

// A shellUser does the plans of uplinks with odd names: as a program, or as an
// administrator who pipes their text into sh, where ip(8) does it.
type shellUser struct {
	*tabletest.Network
	etc   string // of the uplinks
	shell bool
}

func newShellUser(t *testing.T, etc string, shell bool) *shellUser {
	n := tabletest.NewNetwork(t)
	n.Server.Link("a;id>x", n.Net, "g3")
	n.Server.Addr("a;id>x", "10.3.0.2/24")
	return &shellUser{n, etc, shell}
}

// uplinks returns three uplinks with names that a shell would not take as they are.
func (u *shellUser) uplinks() []table.SourceRoutedUplink {
	one, two := u.Uplink1(tabletest.IPv4), u.Uplink2(tabletest.IPv6)
	one.Name, two.Name = "o'ne", `a$(id)\b`
	two.MainFirst, two.Unreachable = true, true
	three := table.SourceRoutedUplink{
		Name: "lan/2.*", Table: 30, Interface: "a;id>x", Gateway: netip.MustParseAddr("10.3.0.1"),
		Also: []rule.Rule{{IIF: "a;id>x"}, {OIF: "`id`"}},
	}
	all := []table.SourceRoutedUplink{one, two, three}
	for i := range all {
		all[i].Etc = u.etc
	}
	return all
}

// do does a plan.
func (u *shellUser) do(p plan.Plan, err error) error {
	switch {
	case err != nil:
		return err
	case p.Empty():
		return fmt.Errorf("there is nothing to do")
	case !u.shell:
		return p.Apply(u.T.Context(), u.Conn)
	}
	text := p.InNetNS(u.Server.Path()).String()
	cmd := exec.Command("sh", "-e")
	cmd.Dir, cmd.Stdin = u.T.TempDir(), strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		return fmt.Errorf("sh: %v: %s\n%s", err, out, text)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		return fmt.Errorf("sh has written %v, %v\n%s", left, err, text)
	}
	return nil
}

// state returns the rules and routes, and the names of tables with what is ours of them.
func (u *shellUser) state() string {
	var dirs []string // those that ip(8) reads
	if u.etc != "" {
		dirs = []string{strings.TrimPrefix(u.etc, "/")}
	}
	names, err := rttables.Load(os.DirFS("/"), dirs...)
	lines := []string{fmt.Sprint("names: ", err)}
	for _, line := range strings.Split(u.Kernel(), "\n") {
		if !strings.Contains(line, " local fe80:") { // differs in each network
			lines = append(lines, line)
		}
	}
	files, _ := rttables.ReadFiles(u.etc)
	for id, name := range names.All() {
		lines = append(lines, fmt.Sprintf("%d %s, ours: %t", uint32(id), name, files.Registered(id, name)))
	}
	return strings.Join(lines, "\n")
}

// history installs the uplinks, changes them and removes them, and returns the state
// after each step.
func (u *shellUser) history() (states []string, err error) {
	ctx := u.T.Context()
	note := func(e error) {
		if states = append(states, u.state()); err == nil {
			err = e
		}
	}
	all := u.uplinks()
	note(u.do(table.PlanInstall(ctx, u.Conn, all...)))
	// One gets another name, the second another table, and the third another gateway.
	all[0].Name, all[1].Table, all[2].Gateway = "tw'o", 21, netip.MustParseAddr("10.3.0.9")
	note(u.do(table.PlanInstall(ctx, u.Conn, all...)))
	note(u.do(table.PlanSync(ctx, u.Conn, all[1])))
	note(u.do(table.PlanRemove(ctx, u.Conn, all[1])))
	return states, err
}

// The text of a plan, run by sh with ip(8), does what Apply does, whatever the names are
// and wherever those of tables are written.
func TestPlanInShell(t *testing.T) {
	for _, program := range []string{"sh", "ip", "sed", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	for name, x := range map[string]struct {
		etc   string
		files map[string]string
		also  string // another name
	}{
		"rt_tables":    {"", map[string]string{"/etc/iproute2/rt_tables": tabletest.RTTables}, "0 unspec"},
		"no directory": {"", map[string]string{"/usr/share/iproute2/rt_tables": tabletest.RTTables}, "0 unspec"},
		"another directory": {
			filepath.Join(t.TempDir(), "o'ne"), map[string]string{"/etc/iproute2/rt_tables": tabletest.RTTables}, "254 main",
		},
		"CRLF":             {"", map[string]string{"/etc/iproute2/rt_tables": strings.ReplaceAll(tabletest.RTTables, "\n", "\r\n")}, "0 unspec"},
		"names in our own": {"", map[string]string{"/etc/iproute2/rt_tables.d/policyroute.conf": "99 mine\n"}, "99 mine"},
	} {
		t.Run(name, func(t *testing.T) {
			var states [2][]string
			for i, shell := range []bool{false, true} {
				if x.etc != "" {
					os.RemoveAll(x.etc)
				}
				u := newShellUser(t, x.etc, shell)
				withFiles(t, x.files, func() (err error) {
					states[i], err = u.history()
					return err
				})
			}
			for i, what := range []string{"install", "change", "sync", "remove"} {
				tabletest.WantText(t, what+": the state by sh", states[0][i], states[1][i])
			}
			// The distribution's names are not hidden.
			for _, want := range []string{`20 a$(id)\b, ours: true`, x.also} {
				if installed := states[0][0]; !strings.Contains(installed, want) {
					t.Errorf("after install, the state is\n%s\nwithout %s", installed, want)
				}
			}
		})
	}
}
