//go:build linux

package lab_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// helperEnv is the environment variable that makes the test binary run a helper instead of
// the tests.
const helperEnv = "LAB_TEST_HELPER"

// helper is the program that the tests below start. It calls Enter.
func helper(name string) {
	if name == "refuse" { // this user namespace cannot have a network namespace
		check(os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0))
	}
	check(lab.Enter())
	l := lab.New()
	l.NS("a")
	check(l.Err())

	switch name {
	case "open":
		fmt.Println("eth0 has index", l.Open("a", os.Getenv("NS")).Index("eth0"))
		check(l.Err())
	case "exit":
		in, err := io.ReadAll(os.Stdin)
		check(err)
		fmt.Printf("uid %d args %q stdin %q\n", os.Getuid(), os.Args[1:], in)
		fmt.Fprintln(os.Stderr, "standard error")
		os.Exit(7)
	case "count": // counts signals until none has come for a while
		c := make(chan os.Signal, 16)
		signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
		fmt.Println("ready", os.Getpid())
		s, n := <-c, 1
		for quiet := false; !quiet; {
			select {
			case <-c:
				n++
			case <-time.After(200 * time.Millisecond):
				quiet = true
			}
		}
		fmt.Printf("%v ×%d\n", s, n)
	case "sleep":
		fmt.Println("ready", os.Getpid())
		time.Sleep(time.Minute)
	}
	os.Exit(0)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ordinary returns a command that runs a helper as a user who cannot make network namespaces.
// For any user of the tests, removing this capability from the bounding set of the helper is
// enough to make Enter start a second process.
func ordinary(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// start starts cmd without CAP_SYS_ADMIN.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	err := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has lost a capability
		if e := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); e != nil {
			err <- os.NewSyscallError("PR_CAPBSET_DROP", e)
			return
		}
		err <- cmd.Start()
	}()
	if err := <-err; err != nil {
		t.Fatal(err)
	}
}

func TestEnter(t *testing.T) {
	cmd := ordinary(t, "exit", "one", "two words")
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("input"), &out, &stderr
	start(t, cmd)
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("ended with %v", err)
	}
	if got, want := out.String(), `uid 0 args ["one" "two words"] stdin "input"`+"\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := stderr.String(); got != "standard error\n" {
		t.Errorf("stderr %q", got)
	}
}

// run starts a helper, waits until it is ready, calls a function with the numbers of its two
// processes, and returns the output after that. The output ends when all processes have
// ended, because all of them have the pipe open.
func run(t *testing.T, name string, do func(pid, child int)) (string, error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := ordinary(t, name)
	cmd.Stdout, cmd.Stderr = w, w
	start(t, cmd)
	w.Close()
	defer cmd.Process.Kill()
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	out := bufio.NewReader(r)
	var child int
	if _, err := fmt.Fscanf(out, "ready %d\n", &child); err != nil {
		t.Fatal(err)
	}
	do(cmd.Process.Pid, child)
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Errorf("still running: %v", err)
	}
	return string(rest), cmd.Wait()
}

// Each signal arrives once, whether it is sent to the process or, like a signal of a
// terminal, to the process group.
func TestEnterPassesSignals(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		for who, sign := range map[string]int{"process": 1, "group": -1} {
			out, err := run(t, "count", func(pid, _ int) { unix.Kill(sign*pid, s) })
			if want := fmt.Sprintf("%v ×1\n", s); err != nil || out != want {
				t.Errorf("%v to the %s: got %q, want %q, %v", s, who, out, want, err)
			}
		}
	}
}

// If a signal kills one of the two processes, the other one ends too, even after SIGKILL.
func TestEnterDiesWithTheProgram(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGKILL} {
		out, err := run(t, "sleep", func(pid, _ int) { unix.Kill(pid, s) })
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != s || out != "" {
			t.Errorf("%v: ended with %v, %q", s, err, out)
		}
	}
}

// Ctrl-Z stops both processes, and fg continues them.
func TestEnterPauses(t *testing.T) {
	out, err := run(t, "count", func(pid, child int) {
		unix.Kill(pid, unix.SIGTSTP)
		waitState(t, pid, "T")
		waitState(t, child, "T")
		unix.Kill(child, unix.SIGTERM) // waits
		unix.Kill(pid, unix.SIGCONT)
	})
	if want := "terminated ×1\n"; err != nil || out != want {
		t.Errorf("got %q, want %q, %v", out, want, err)
	}
}

// waitState waits until a process is in the state that ps(1) calls want.
func waitState(t *testing.T, pid int, want string) {
	t.Helper()
	var state string
	for range 500 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(b), ") ")
		if state, _, _ = strings.Cut(after, " "); state == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d is in state %s, not %s", pid, state, want)
}

// In a user namespace that cannot have network namespaces, the kernel refuses.
func TestEnterRefused(t *testing.T) {
	cmd := ordinary(t, "refuse")
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	for _, want := range []string{
		"the kernel refuses a network namespace to user 0: ", ": no space left on device\n",
		"\tsudo sysctl -w user.max_net_namespaces=15000\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %q, want %q in it", out, want)
		}
	}
}
