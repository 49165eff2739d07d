package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/policyroute/policyroute/rule"
)

// A program is the built program in the namespace of a host.
type program struct {
	*host
	path string
	cmd  *exec.Cmd
	log  *log
	// readOnly is the environment with which the program has a read-only directory.
	readOnly []string
}

// build builds the program.
func (h *host) build() *program {
	h.Helper()
	p := &program{host: h, path: filepath.Join(h.TempDir(), "uplinks")}
	if out, err := exec.Command("go", "build", "-o", p.path, ".").CombinedOutput(); err != nil {
		h.Fatalf("go build: %v\n%s", err, out)
	}
	return p
}

// start starts the program with the command run.
func (p *program) start(args ...string) {
	p.Helper()
	p.log = new(log)
	p.cmd = p.command(append([]string{"run"}, args...)...)
	p.cmd.Stderr = p.log
	if err := p.ns.Do(p.cmd.Start); err != nil {
		p.Fatal(err)
	}
	cmd := p.cmd
	p.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
}

// signal sends a signal to the program.
func (p *program) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// ends waits until the program ends.
func (p *program) ends(want string) {
	p.Helper()
	p.cmd.Wait()
	if got := p.cmd.ProcessState.String(); got != want {
		p.Errorf("it ended with %s, want %s\n%s", got, want, p.log)
	}
}

// do runs another command of the program, and checks the exit status.
func (p *program) do(status int, args ...string) string {
	p.Helper()
	var out bytes.Buffer
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p.ns.Do(cmd.Run)
	if got := cmd.ProcessState.ExitCode(); got != status {
		p.Errorf("uplinks %s: exit %d, want %d\n%s", strings.Join(args, " "), got, status, &out)
	}
	return strings.ReplaceAll(out.String(), p.file, "FILE")
}

// says waits for a line of the log that is text after its time, and forgets the lines up to
// it. An ellipsis matches anything: on a busy machine the line may have further reasons.
func (p *program) says(text string) {
	p.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if p.log.forget(text, p.file) {
			return
		}
		if time.Now().After(end) {
			p.Fatalf("the log does not say, within %v:\n%s\nbut:\n%s", patience, text, p.log)
		}
	}
}

// forget forgets the lines up to a line with a text, if the log has one.
func (l *log) forget(text, file string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(text), "…", ".*") + "$")
	for line := range strings.Lines(l.b.String()) {
		n += len(line)
		at, said, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if _, err := time.Parse(time.RFC3339, at); !ok || err != nil {
			continue
		}
		if want.MatchString(strings.ReplaceAll(said, file, "FILE")) {
			l.b.Next(n)
			return true
		}
	}
	return false
}

// complete waits until status reports everything complete.
func (p *program) complete() {
	p.Helper()
	var out string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		cmd := p.command("status")
		b := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = b, b
		if p.ns.Do(cmd.Run) == nil {
			return
		}
		out = b.String()
	}
	p.Fatalf("it does not heal:\n%s\n%s", out, p.log)
}

// ip runs ip(8) in the namespace of the host. On a machine without ip(8) it calls otherwise.
func (p *program) ip(words string, otherwise func()) {
	p.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		otherwise()
		return
	}
	if _, err := p.ns.Run("", "ip", strings.Fields(words)...); err != nil {
		p.Fatal(err)
	}
}

func (p *program) ipAddr(verb, dev, prefix string) {
	p.Helper()
	p.ip("addr "+verb+" "+prefix+" dev "+dev, func() {
		map[string]func(string, ...string){"add": p.ns.Addr, "del": p.ns.DelAddr}[verb](dev, prefix)
	})
}

func (p *program) ipRoute(verb, words string) {
	p.Helper()
	p.ip("route "+verb+" "+words, func() { p.route(verb, words) })
}

func (p *program) ipRule(verb, words string) {
	p.Helper()
	p.ip("rule "+verb+" "+words, func() {
		if verb == "del" {
			words = p.findRule(words)
		}
		p.rule(verb, words)
	})
}

// findRule returns the words of the first rule with the source and the action of others,
// which is the one that ip(8) deletes.
func (p *program) findRule(words string) string {
	p.Helper()
	want, err := rule.Parse(words, nil)
	if err != nil {
		p.Fatal(err)
	}
	for have, err := range rule.All(p.Context(), p.conn, rule.Filter{}) {
		if err != nil {
			p.Fatal(err)
		}
		if have.From == want.From && have.Action == want.Action && have.Table == want.Table {
			return have.String()
		}
	}
	p.Fatalf("there is no rule %s", words)
	return ""
}

func (p *program) ipLink(dev, state string) {
	p.Helper()
	p.ip("link set "+dev+" "+state, func() {
		map[string]func(string){"up": p.ns.Up, "down": p.ns.Down}[state](dev)
	})
}

// leave checks the interface by which packets from a source leave.
func (p *program) leave(source, want string) {
	p.Helper()
	if got := p.wayOut(query(source, 0)); got != want {
		p.Errorf("packets from %s leave by %s, want %s", source, got, want)
	}
}
