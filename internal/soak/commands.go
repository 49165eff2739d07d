package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func daemonKinds() []kind {
	return []kind{
		{"kill", ofDaemon, daemonKill},
		{"terminate", ofDaemon, daemonTerminate},
		{"stop", ofDaemon, daemonStop},
		{"faulty-file", ofDaemon, daemonFaultyFile},
		{"other-file", ofDaemon, daemonOtherFile},
		{"less-file", ofDaemon, daemonLessFile},
		{"command-up", ofDaemon, commandUp},
		{"command-down", ofDaemon, commandDown},
		{"killed-up", ofDaemon, commandKilled},
		{"second", ofDaemon, daemonSecond},
		{"twin", ofDaemon, daemonTwin},
		{"descriptors", ofDaemon, daemonDescriptors},
		{"namespace", ofDaemon, sideNamespace},
	}
}

// endsDaemon are the kinds that end the daemon.
var endsDaemon = map[string]bool{"kill": true, "terminate": true}

// daemonKill kills the daemon, at any moment, up to three times.
func daemonKill(r *round) error {
	for range 1 + r.rng.IntN(3) {
		r.hold(longestHold)
		r.w.daemon.signal(unix.SIGKILL, true)
	}
	return nil
}

func daemonTerminate(r *round) error {
	r.hold(longestHold)
	r.w.daemon.signal(unix.SIGTERM, true)
	return nil
}

// daemonStop stops the daemon for a while. It is not killed.
func daemonStop(r *round) error {
	r.w.daemon.pause(func() { r.hold(2 * longestHold) })
	return nil
}

// A result is what a command did.
type result struct {
	status         int
	stdout, stderr string
}

// commandTime is how long a command may take.
const commandTime = 60 * time.Second

// command runs a command of uplinks on the host.
func (w *world) command(ctx context.Context, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.daemon.binary, append([]string{"-f", w.file, "-etc", w.etc}, args...)...)
	cmd.SysProcAttr = child()
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGQUIT) } // the stacks are in the log
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	name := "uplinks " + strings.Join(args, " ")
	begin := time.Now()
	if err := w.host.Do(cmd.Start); err != nil {
		return result{}, err
	}
	err := cmd.Wait()
	took := time.Since(begin)
	res := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		w.log.print(res.stderr)
		w.fig.fault("%s did not end in %v", name, commandTime)
	case err != nil && !errors.As(err, &exit) && ctx.Err() == nil:
		return res, err
	}
	w.fig.command(args[len(args)-1], res.status, took)
	w.log.print(fmt.Sprintf("%s: status %d after %v: %q", name, res.status, took.Round(time.Millisecond), tail(res.stderr)))
	for _, text := range strings.Split(res.stdout+"\n"+res.stderr, "\n") {
		w.daemon.check("the output of "+name, text)
	}
	return res, nil
}

func tail(s string) string {
	if len(s) > 300 {
		return "…" + s[len(s)-300:]
	}
	return s
}

// reload makes the daemon read its file, and reports another status than the expected one. A
// reload fails if the daemon has just been killed.
func (r *round) reload(want int) error {
	res, err := r.w.command(r.ctx, "reload")
	if err == nil && res.status != want && res.status != 1 && r.ctx.Err() == nil {
		r.w.fig.fault("%s: reload has the status %d, want %d: %s", r.name, res.status, want, res.stderr)
	}
	if err == nil && res.status == 1 {
		r.w.daemon.signal(unix.SIGHUP, false) // who asks a daemon by a command may be kept from it
	}
	return err
}

// withFile gives the daemon another file for a while.
func (r *round) withFile(text string, status int) error {
	if err := r.w.writeFile(text); err != nil {
		return err
	}
	if err := r.reload(status); err != nil {
		return err
	}
	r.hold(longestHold)
	if err := r.w.writeFile(wholeFile); err != nil {
		return err
	}
	return r.reload(0)
}

// daemonFaultyFile gives the daemon a file with faults.
func daemonFaultyFile(r *round) error {
	faults := []string{
		"lan1 table 10 dev u1 via 10.1.0.1 \x1b[31mred\n", "lan1 table main dev u1 via 10.1.0.1\n",
		"lan9 dev u1 via 300.1.0.1\n", strings.Repeat("x", 100_000) + "\n", "lan1 table 10 dev u1 via 10.1.0.1 ping\n",
	}
	return r.withFile(wholeFile+faults[r.rng.IntN(len(faults))], 2)
}

// daemonOtherFile gives the daemon a file that changes much, but not where packets go.
func daemonOtherFile(r *round) error {
	text := strings.NewReplacer("weight 2", "weight 7", "fwmark 0x1", "fwmark 0x11 also fwmark 0x12", "metric 50", "metric 60").Replace(wholeFile)
	return r.withFile(text, 0)
}

// daemonLessFile takes an uplink out of the file for a while.
func daemonLessFile(r *round) error {
	r.excuse(r.w.wires[3].protected...)
	return r.withFile(strings.Replace(wholeFile, lineLan3, "", 1), 0)
}

// commandUp runs a command beside the daemon that installs what is there.
func commandUp(r *round) error {
	args := [][]string{{"up"}, {"-prune", "up"}, {"adopt"}, {"recover"}}[r.rng.IntN(4)]
	_, err := r.w.command(r.ctx, args...)
	return err
}

// commandDown removes all uplinks beside the daemon, which puts them back.
func commandDown(r *round) error {
	r.excuse(r.w.sources...)
	_, err := r.w.command(r.ctx, "down")
	return err
}

// commandKilled kills up or down in the middle.
func commandKilled(r *round) error {
	args := []string{"-f", r.w.file, "-etc", r.w.etc, "up"}
	if r.rng.IntN(2) == 0 {
		r.excuse(r.w.sources...)
		args[4] = "down"
	}
	cmd := exec.Command(r.w.daemon.binary, args...)
	cmd.SysProcAttr = child()
	if err := r.w.host.Do(cmd.Start); err != nil {
		return err
	}
	r.hold(50 * time.Millisecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil
}

// daemonSecond starts a second daemon, which has to refuse to begin.
func daemonSecond(r *round) error {
	pid := r.w.daemon.pid()
	if pid == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.w.daemon.binary, "-f", r.w.file, "-etc", r.w.etc, "run")
	cmd.SysProcAttr = child()
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := r.w.host.Do(cmd.Start); err != nil {
		return err
	}
	_ = cmd.Wait()
	if ctx.Err() != nil && r.ctx.Err() == nil && r.w.daemon.pid() == pid {
		r.w.fig.fault("%s: a second daemon runs beside process %d: %s", r.name, pid, tail(out.String()))
	}
	r.w.log.print("the second daemon: " + fmt.Sprintf("%q", tail(out.String())))
	return nil
}

// daemonTwin starts a second daemon that does not know of the first one, as in another
// container, and kills it after a while. Both want the same.
func daemonTwin(r *round) error {
	cmd := exec.Command(r.w.daemon.binary, "-f", r.w.file, "-etc", r.w.etc, "-control", filepath.Join(r.w.dir, "twin"), "run")
	cmd.SysProcAttr = child()
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := r.w.host.Do(cmd.Start); err != nil {
		return err
	}
	r.hold(2 * longestHold)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	r.w.log.print(fmt.Sprintf("the twin: %q", tail(out.String())))
	return nil
}

// daemonDescriptors leaves the daemon no descriptors for a while.
func daemonDescriptors(r *round) error {
	pid := r.w.daemon.pid()
	if pid == 0 {
		return nil
	}
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		return nil // it has just ended
	}
	none := before
	none.Cur = 5
	_ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &none, nil)
	r.hold(longestHold)
	_ = unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil)
	return nil
}
