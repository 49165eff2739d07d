package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// attackWord is the first argument of a process that attacks as an ordinary user. Others are
// the kind of the attack, how long it takes, the directory of rt_tables, and the ID of the
// daemon's process.
const attackWord = "attack"

// controlName is an abstract name that the control socket of the daemon might have. Any user
// can take such a name, so the socket is in a directory that only root can use.
const controlName = "@policyroute/uplinks"

// An attacker is what an ordinary user does to the host.
type attacker struct {
	end time.Time
	etc string
	pid int
}

// attacks are what ordinary users do. Each returns at its end.
var attacks = map[string]func(*attacker){
	"squat":    (*attacker).squat,
	"backlog":  (*attacker).fillBacklog,
	"flock":    (*attacker).lockFiles,
	"hide":     (*attacker).hideLock,
	"connect":  (*attacker).connect,
	"stall":    (*attacker).stall,
	"netlink":  (*attacker).netlink,
	"userns":   (*attacker).namespaces,
	"packets":  (*attacker).packets,
	"ports":    (*attacker).takePorts,
	"inotify":  (*attacker).watchFiles,
	"children": (*attacker).children,
}

// attackMain is the whole of an attacking process. Its name would clear a terminal.
func attackMain(args []string) int {
	if len(args) != 4 || attacks[args[0]] == nil {
		return 2
	}
	name := []byte("\x1b[2J\x1b]0;\x07\x00")
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return 2
	}
	a := &attacker{end: time.Now().Add(length), etc: args[2]}
	a.pid, _ = strconv.Atoi(args[3])
	attacks[args[0]](a)
	return 0
}

func (a *attacker) on() bool { return time.Now().Before(a.end) }

func (a *attacker) rest() { time.Sleep(time.Until(a.end)) }

// squat takes the abstract name as soon as it is free, and does not listen.
func (a *attacker) squat() {
	for ; a.on(); time.Sleep(time.Millisecond) {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			continue
		}
		if unix.Bind(fd, &unix.SockaddrUnix{Name: controlName}) == nil {
			a.rest()
		}
		unix.Close(fd)
	}
}

// fillBacklog does the same, listens, fills the queue, and accepts nobody.
func (a *attacker) fillBacklog() {
	for ; a.on(); time.Sleep(time.Millisecond) {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			continue
		}
		if unix.Bind(fd, &unix.SockaddrUnix{Name: controlName}) == nil && unix.Listen(fd, 0) == nil {
			for range 3 {
				if c, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0); err == nil {
					_ = unix.Connect(c, &unix.SockaddrUnix{Name: controlName})
				}
			}
			a.rest()
		}
		unix.Close(fd)
	}
}

// lockFiles locks all that it can open and that the daemon may want to lock.
func (a *attacker) lockFiles() {
	paths := []string{"/proc/self/ns/net", "/proc/self/ns/user", "/proc/self/ns/mnt", a.etc}
	for _, dir := range []string{a.etc, "/run"} {
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && len(paths) < 100 {
				paths = append(paths, path)
			}
			return nil
		})
	}
	for _, path := range paths {
		// A FIFO would wait for its other end.
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		_ = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if path == "/proc/self/ns/net" {
			if owner, err := unix.IoctlRetInt(fd, unix.NS_GET_USERNS); err == nil {
				_ = unix.Flock(owner, unix.LOCK_EX|unix.LOCK_NB)
			}
		}
	}
	a.rest()
}

// hideLock locks the namespace, and then so many other things that the list of all locks is
// too long to be read.
func (a *attacker) hideLock() {
	fd, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY, 0)
	if err != nil || unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return
	}
	file, err := unix.MemfdCreate("locks", 0)
	if err != nil {
		return
	}
	for i := range int64(100_000) {
		one := unix.Flock_t{Type: unix.F_WRLCK, Start: 2 * i, Len: 1}
		if !a.on() || unix.FcntlFlock(uintptr(file), unix.F_SETLK, &one) != nil {
			break
		}
	}
	a.rest()
}

// controlNames returns the abstract name, and the sockets in files that the daemon may have.
func controlNames() []string {
	names := []string{controlName}
	_ = filepath.WalkDir("/run", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&fs.ModeSocket != 0 {
			names = append(names, path)
		}
		return nil
	})
	return names
}

// connect connects to the control socket again and again, and reads the answers.
func (a *attacker) connect() {
	b := make([]byte, 64<<10)
	for a.on() {
		for _, name := range controlNames() {
			c, err := net.DialTimeout("unix", name, time.Second)
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = c.Read(b)
			c.Close()
		}
	}
}

// stall opens connections to the control socket, and neither reads nor closes them.
func (a *attacker) stall() {
	var all []net.Conn
	for _, name := range controlNames() {
		for range 200 {
			if c, err := net.DialTimeout("unix", name, 100*time.Millisecond); err == nil {
				all = append(all, c)
			}
		}
	}
	a.rest()
	runtime.KeepAlive(all)
}

// netlink asks the kernel for what it must not, dumps everything in a loop, listens to all
// events without reading them, and takes netlink ports that the daemon might want.
func (a *attacker) netlink() {
	for i := range 50 {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		if err != nil {
			break
		}
		_ = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 0xffffffff, Pid: uint32(a.pid + i)})
	}
	c, err := route.Dial(nil)
	if err != nil {
		return
	}
	defer c.Close()
	for a.on() {
		n := 0
		for u, err := range rule.All(tooShort(), c, rule.Filter{}) {
			if err != nil {
				break
			}
			if n++; n <= 3 {
				_ = rule.Delete(tooShort(), c, u)
			}
		}
		for range route.All(tooShort(), c, route.Filter{}) {
			n++
		}
		time.Sleep(time.Millisecond)
	}
}

// namespaces makes user and network namespaces, and takes in them the names that the daemon
// has.
func (a *attacker) namespaces() {
	for a.on() {
		cmd := exec.Command("/proc/self/exe", attackWord, "squat", "20ms", a.etc, "0")
		cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
		if cmd.Run() != nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// packets sends to neighbours that do not exist, to the gateways and to the targets of
// probes.
func (a *attacker) packets() {
	for a.on() {
		for _, to := range []string{
			fmt.Sprintf("10.%d.0.%d", 1+rand.IntN(3), 100+rand.IntN(20)), "10.1.0.1", probed1, probed2, "10.9.0.200", "127.0.0.1",
		} {
			c, err := net.Dial("udp", net.JoinHostPort(to, "9"))
			if err != nil {
				continue
			}
			for range 20 {
				_, _ = c.Write([]byte("x"))
			}
			c.Close()
		}
		time.Sleep(time.Millisecond)
	}
}

// takePorts takes ports until there are none.
func (a *attacker) takePorts() {
	var all []net.Listener
	for len(all) < 900 && a.on() {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			break
		}
		all = append(all, l)
	}
	a.rest()
	runtime.KeepAlive(all)
}

// watchFiles watches what the daemon writes, and reads it as often as it can.
func (a *attacker) watchFiles() {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	_, _ = unix.InotifyAddWatch(fd, a.etc, unix.IN_ALL_EVENTS)
	for a.on() {
		_ = filepath.WalkDir("/proc/"+strconv.Itoa(a.pid), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !a.on() || strings.Count(path, "/") > 4 {
				return fs.SkipDir
			}
			if d.Type().IsRegular() {
				if f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
					_, _ = f.Read(make([]byte, 4096))
					f.Close()
				}
			}
			return nil
		})
		time.Sleep(5 * time.Millisecond)
	}
}

// children starts processes and ends them, so that IDs of processes are used again soon.
func (a *attacker) children() {
	for a.on() {
		cmd := exec.Command("/proc/self/exe", attackWord, "squat", "1ms", a.etc, "0")
		cmd.SysProcAttr = child()
		_ = cmd.Run()
	}
}
