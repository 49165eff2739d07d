package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ordinaryID is the user and the group of a process that may not change anything.
const ordinaryID = 65534

// A holdOrder is what the process of a hold is told.
type holdOrder struct {
	Hold
	Drop bool   // give up all capabilities first
	Copy string // of this program, with set-user-ID
	Wait bool   // the lock was taken
}

// Hold starts a process in the namespace that has a lock, and returns its process ID. It
// ends with the test, or when release is called. TestMain has to call [Main].
func (ns *NS) Hold(h Hold) (pid int, release func()) {
	tb := ns.lab.tb
	tb.Helper()
	if h.File == "" {
		h.File = "/proc/self/ns/net"
	}
	o := holdOrder{Hold: h}
	cmd := exec.Command("/proc/self/exe")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if h.PIDNS {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWPID
	}
	uid, known := ordinaryUser()
	switch {
	case h.UserNS:
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		cmd.SysProcAttr.Credential = &syscall.Credential{NoSetGroups: true}
	case h.Able:
	case known:
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}
	default:
		o.Drop = true
	}
	var stdin io.Closer
	var ready *bufio.Reader
	ns.lab.step("hold a lock", func() (err error) {
		if h.Setuid {
			if o.Copy, err = copyProgram(); err != nil {
				return err
			}
		}
		text, err := json.Marshal(o)
		if err != nil {
			return err
		}
		cmd.Env = append(os.Environ(), holdEnv+"="+string(text))
		if stdin, err = cmd.StdinPipe(); err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		ready = bufio.NewReader(out)
		if err := ns.Do(cmd.Start); err != nil {
			return err
		}
		_, err = ready.ReadString('\n')
		return err
	})
	released := false
	release = func() {
		if !released {
			released = true
			stdin.Close()
			_, _ = io.Copy(io.Discard, ready) // an orphan ends after its parent
			_ = cmd.Wait()
			if o.Copy != "" {
				os.RemoveAll(filepath.Dir(o.Copy))
			}
		}
	}
	tb.Cleanup(release)
	return cmd.Process.Pid, release
}

// ordinaryUser returns a user without privileges, and false if the user namespace has
// none but the one that runs this.
func ordinaryUser() (int, bool) {
	text, _ := os.ReadFile("/proc/self/uid_map")
	if words := strings.Fields(string(text)); len(words) == 3 {
		if n, _ := strconv.Atoi(words[2]); n > ordinaryID {
			return ordinaryID, true
		}
	}
	return os.Getuid(), false
}

// copyProgram makes a copy of this program with set-user-ID, which everyone can run.
func copyProgram() (string, error) {
	dir, err := os.MkdirTemp("", "setuid")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile("/proc/self/exe")
	name := filepath.Join(dir, "program")
	return name, errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(name, text, 0o755), os.Chmod(name, 0o755|os.ModeSetuid))
}

// obeyHold is the process of a hold.
func obeyHold(order string) {
	var o holdOrder
	err := json.Unmarshal([]byte(order), &o)
	if err == nil {
		err = o.obey()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: hold:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (o *holdOrder) obey() error {
	if o.Wait {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return nil
	}
	if o.Drop {
		o.Drop = false
		if err := dropCapabilities(); err != nil {
			return err
		}
		return o.again("/proc/self/exe")
	}
	if o.Name != "" {
		if err := os.WriteFile("/proc/self/comm", []byte(o.Name), 0); err != nil {
			return err
		}
	}
	fd, err := unix.Open(o.File, unix.O_RDONLY, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: o.File, Err: err}
	}
	how := unix.LOCK_EX
	if o.Shared {
		how = unix.LOCK_SH
	}
	if err := unix.Flock(fd, how); err != nil {
		return os.NewSyscallError("flock", err)
	}
	o.Wait = true
	switch {
	case o.Setuid:
		return o.again(o.Copy)
	case o.Orphan:
		child := exec.Command("/proc/self/exe")
		child.Env = o.environment()
		child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
		child.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "lock")}
		return child.Start()
	case o.Again:
		go func() {
			for {
				_ = unix.Flock(fd, unix.LOCK_UN)
				_ = unix.Flock(fd, how)
				time.Sleep(3 * time.Millisecond)
			}
		}()
	}
	return o.obey()
}

// again runs a program in the place of this one, with the same files.
func (o *holdOrder) again(program string) error {
	return os.NewSyscallError("exec", syscall.Exec(program, os.Args, o.environment()))
}

func (o *holdOrder) environment() []string {
	text, _ := json.Marshal(o)
	os.Setenv(holdEnv, string(text)) // there is one already
	return os.Environ()
}

// dropCapabilities makes the calling thread give up all capabilities, for good.
func dropCapabilities() error {
	runtime.LockOSThread()
	for n := uintptr(0); unix.Prctl(unix.PR_CAPBSET_DROP, n, 0, 0, 0) == nil; n++ {
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return errors.Join(unix.Capset(&header, &none[0]), unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}

// HasOrdinaryUser reports whether there is a user without privileges, other than the one
// that runs the tests.
func HasOrdinaryUser() bool {
	_, known := ordinaryUser()
	return known
}
