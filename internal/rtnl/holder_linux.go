package rtnl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// find looks for the process that has the lock. shared says that others can have the lock
// as well, which [Lock] never allows.
func (w *wait) find() (shared bool) {
	pid, shared, whole := lockHolder(w.file.id)
	w.known = true
	if !whole && w.patience != nil {
		w.patience.blindUntil = time.Now().Add(blindFor)
	}
	w.holder = Holder{PID: pid, File: w.file.id.ino}
	if pid > 0 {
		p, err := readProcess(pid)
		w.holder.Name, w.holder.UID, w.holder.Dead = p.name, p.uid, errors.Is(err, errEnded)
	}
	return shared
}

// isBlind reports whether holders are not looked for at the moment.
func (w *wait) isBlind() bool { return w.patience != nil && time.Now().Before(w.patience.blindUntil) }

// findOnce looks for the holder, unless that was done.
func (w *wait) findOnce() {
	if w.known {
		return
	}
	w.holder = Holder{File: w.file.id.ino}
	if !w.isBlind() {
		w.find()
	}
}

// powerless looks for the holder, and returns why it does not count: it cannot change
// anything in the network namespace. It returns "" if it may be able to.
func (w *wait) powerless() string {
	shared := w.find()
	reason := ""
	switch {
	case w.holder.PID <= 0:
		return ""
	case shared:
		reason = "has only a shared lock"
	case w.holder.PID == selfPID():
		reason = "is not changing uplinks" // since it is the turn of this goroutine
	default:
		reason = w.judge()
	}
	if reason != "" {
		if pid, _, _ := lockHolder(w.file.id); pid != w.holder.PID {
			return "" // another one has the lock now
		}
	}
	return reason
}

// judge returns why the holder does not count.
func (w *wait) judge() string {
	p, err := readProcess(w.holder.PID)
	switch {
	case errors.Is(err, errEnded):
		return "has ended, and a child of it has the lock"
	case err != nil:
		return "" // nothing is known about it
	case w.strict && p.uid != p.euid:
		return fmt.Sprintf("runs for user %d with the privileges of user %d", p.uid, p.euid)
	}
	owners, err := w.owners()
	if err != nil || p.mayAdminister(owners) {
		return ""
	}
	return "does not have the privilege to change routes"
}

// A userNS is a user namespace.
type userNS struct {
	ino   uint64
	owner uint32 // the user that made it, and has all capabilities in it
}

// initialUserNS is the inode of the first user namespace: PROC_USER_INIT_INO.
const initialUserNS = 0xeffffffd

// owners returns the user namespaces in which CAP_NET_ADMIN is one for the network
// namespace, as far as they can be seen from here: the owner and those around it.
func (w *wait) owners() (all []userNS, err error) {
	fd, err := w.owner()
	for err == nil {
		var st unix.Stat_t
		n := userNS{}
		if err := unix.Fstat(fd, &st); err != nil {
			unix.Close(fd)
			return nil, err
		}
		n.ino = st.Ino
		uid, ownerErr := unix.IoctlGetUint32(fd, unix.NS_GET_OWNER_UID)
		parent, parentErr := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		unix.Close(fd)
		if ownerErr != nil {
			return nil, ownerErr
		}
		n.owner = uid
		all = append(all, n)
		fd, err = parent, parentErr
	}
	if len(all) == 0 {
		return nil, err
	}
	return all, nil
}

// A process is what /proc shows of a process.
type process struct {
	pid       int
	name      string
	uid, euid uint32
	netAdmin  bool   // CAP_NET_ADMIN is effective in its user namespace
	userNS    uint64 // the inode; 0: it cannot be seen
}

// errEnded is the error for a process that has ended.
var errEnded = errors.New("the process has ended")

// readProcess reads what /proc shows of a process.
func readProcess(pid int) (process, error) {
	p := process{pid: pid}
	s, err := readStatus(procFile(pid, "status"))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && selfPID() == os.Getpid() && unix.Kill(pid, 0) == unix.ESRCH {
			return p, errEnded
		}
		return p, err
	}
	p.uid, p.euid, p.netAdmin = s.uid, s.euid, s.netAdmin
	name, err := os.ReadFile(procFile(pid, "comm"))
	if err == nil {
		p.name = strings.TrimSuffix(string(name), "\n")
	}
	var st unix.Stat_t
	if unix.Stat(procFile(pid, "ns/user"), &st) == nil {
		p.userNS = st.Ino
	}
	return p, p.readThreads(s.ended)
}

// mostThreads is how many threads of a process readThreads looks at.
const mostThreads = 256

// readThreads looks whether a thread has CAP_NET_ADMIN. Ended says that the main thread
// has ended.
func (p *process) readThreads(ended bool) error {
	dir, err := os.Open(procFile(p.pid, "task"))
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(mostThreads + 1)
	if err != nil || len(names) > mostThreads {
		return errors.Join(err, errors.New("the process has too many threads"))
	}
	for _, name := range names {
		s, err := readStatus(procFile(p.pid, "task/"+name+"/status"))
		if err == nil && !s.ended {
			ended, p.netAdmin = false, p.netAdmin || s.netAdmin
		}
	}
	if ended {
		return errEnded
	}
	return nil
}

// mayAdminister reports whether the process has CAP_NET_ADMIN in a network namespace with
// these owners. It is true if that cannot be told.
func (p *process) mayAdminister(owners []userNS) bool {
	if p.userNS == 0 && owners[0].ino == initialUserNS && !p.hasAllUsers() {
		return false // it is in a user namespace that somebody made
	}
	for i, n := range owners {
		if p.netAdmin && (p.userNS == 0 || p.userNS == n.ino) {
			return true
		}
		// Who made a user namespace has all capabilities in it, from the one around it.
		outside := p.userNS == 0 || i+1 < len(owners) && p.userNS == owners[i+1].ino
		if outside && n.ino != initialUserNS && p.euid == n.owner {
			return true
		}
	}
	return false
}

// hasAllUsers reports whether the user namespace of the process has all users with the
// numbers that they have in this one. It takes a privilege to make another such one.
func (p *process) hasAllUsers() bool {
	text, err := os.ReadFile(procFile(p.pid, "uid_map"))
	return err != nil || strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}

// A status is what is needed of /proc/PID/status.
type status struct {
	uid, euid uint32
	netAdmin  bool
	ended     bool
}

// readStatus reads the file of a process or of a thread.
func readStatus(name string) (s status, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		words := strings.Fields(value)
		switch {
		case key == "State" && len(words) > 0:
			s.ended = words[0] == "Z" || words[0] == "X"
		case key == "Uid" && len(words) > 1:
			s.uid, s.euid = number(words[0]), number(words[1])
		case key == "CapEff" && len(words) > 0:
			caps, err := strconv.ParseUint(words[0], 16, 64)
			s.netAdmin = err != nil || caps&(1<<unix.CAP_NET_ADMIN) != 0
		}
	}
	return s, nil
}

func number(word string) uint32 {
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		return 1<<32 - 1
	}
	return uint32(n)
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// selfPID returns the process ID that this process has in /proc, or 0 if it has none
// there.
func selfPID() int {
	link, err := os.Readlink("/proc/self")
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(link)
	return pid
}

// The most of /proc/locks that lockHolder reads. Every process can make it longer.
const (
	mostLocks      = 1 << 20
	longestReading = 50 * time.Millisecond
	// blindFor is how long holders are not looked for after that was too much.
	blindFor = time.Minute
)

// lockHolder returns the process that has locked a file with flock(2), or one of those
// that share the lock. It returns 0 if there is none, or it cannot be seen. Whole is false
// if the list of locks is too long, or cannot be read.
func lockHolder(id fileID) (pid int, shared, whole bool) {
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0, false, false
	}
	defer f.Close()
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(id.dev), unix.Minor(id.dev), id.ino)
	end := time.Now().Add(longestReading)
	limited := &io.LimitedReader{R: f, N: mostLocks}
	lines := bufio.NewScanner(limited)
	for n := 1; lines.Scan(); n++ {
		// 1: FLOCK  ADVISORY  WRITE 24979 00:04:4026532179 0 EOF
		words := strings.Fields(lines.Text())
		if len(words) >= 6 && words[1] == "FLOCK" && words[5] == file {
			pid, _ = strconv.Atoi(words[4])
			return max(pid, 0), words[3] != "WRITE", true
		}
		if n%256 == 0 && time.Now().After(end) {
			return 0, false, false
		}
	}
	return 0, false, lines.Err() == nil && limited.N > 0
}
