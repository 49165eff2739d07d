//go:build linux

package lab_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// threadNS names the namespace of the calling thread.
func threadNS(t *testing.T) string {
	t.Helper()
	s, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDo(t *testing.T) {
	l := lab.Test(t)
	a, b := l.NS("a"), l.NS("b")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home := threadNS(t)
	boom := errors.New("boom")

	err := a.Do(func() error {
		inA := threadNS(t)
		return errors.Join(boom, b.Do(func() error {
			if inB := threadNS(t); inA == home || inB == home || inA == inB {
				t.Errorf("home %s, a %s, b %s", home, inA, inB)
			}
			return nil
		}), func() error {
			if got := threadNS(t); got != inA {
				t.Errorf("after the inner Do in %s, want %s", got, inA)
			}
			return nil
		}())
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if got := threadNS(t); got != home {
		t.Errorf("after Do in %s, want %s", got, home)
	}
	func() {
		defer func() { recover() }()
		_ = a.Do(func() error { panic(boom) })
	}()
	if got := threadNS(t); got != home {
		t.Errorf("after a panic in %s, want %s", got, home)
	}
}

// No thread stays in a namespace, even if functions run concurrently, panic or end their
// goroutine.
func TestDoParallel(t *testing.T) {
	l := lab.Test(t)
	spaces := []*lab.NS{l.NS("a"), l.NS("b"), l.NS("c")}
	home := threadNS(t)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 20 {
				_ = spaces[(i+j)%3].Do(func() error {
					if threadNS(t) == home {
						t.Error("not in the namespace")
					}
					runtime.Gosched()
					inner := make(chan string)
					go func() { inner <- threadNS(t) }()
					if <-inner != home {
						t.Error("a new goroutine is in the namespace")
					}
					if i == 7 && j == 19 {
						runtime.Goexit()
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		got, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net")
		if err == nil && got != home { // an error means that the thread has ended
			t.Errorf("thread %s is in %s, want %s", task.Name(), got, home)
		}
	}
}

// A program started in Do runs in the namespace.
func TestDoStartsPrograms(t *testing.T) {
	a, _ := pair(t)
	var out []byte
	err := a.Do(func() (err error) {
		out, err = exec.Command("cat", "/proc/self/net/dev").Output()
		return err
	})
	if err != nil || !strings.Contains(string(out), "eth0:") {
		t.Errorf("got %v\n%s", err, out)
	}
}

func TestOpen(t *testing.T) {
	a, b := pair(t)
	l := lab.Test(t)
	again := l.Open("again", a.Path())
	if got, want := again.Index("eth0"), a.Index("eth0"); got != want {
		t.Errorf("got index %d, want %d", got, want)
	}
	echo(t, b, again, "tcp", "10.0.0.2")

	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperEnv+"=open", "NS="+a.Path())
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintln("eth0 has index", a.Index("eth0")); err != nil || string(out) != want {
		t.Errorf("another process: %v, got %q, want %q", err, out, want)
	}
}

func TestClosed(t *testing.T) {
	l := lab.New()
	a := l.NS("a")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Do(func() error { return nil }); err == nil {
		t.Error("Do works after Close")
	}
	if a.FD() != -1 {
		t.Error("FD is still there")
	}
	if l.NS("b"); l.Err() == nil {
		t.Error("NS works after Close")
	}
}

// netnsOf returns the inode of the namespace of a socket.
func netnsOf(t *testing.T, fd int) uint64 {
	t.Helper()
	ns, err := unix.IoctlRetInt(fd, unix.SIOCGSKNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ns)
	return inode(t, ns)
}

func inode(t *testing.T, fd int) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
