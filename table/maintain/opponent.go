package maintain

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

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// opponentFor is how long the user of a port is remembered, because the same program may undo
// several uplinks.
const opponentFor = budgetSeconds * time.Second

// searchDescriptors and searchFor limit the search for the process that uses a port: how many
// descriptors and processes are examined, and for how long. Nothing is repaired in the
// meantime.
const (
	searchDescriptors = 100_000
	searchFor         = time.Second / 2
)

// An opponent is the program that uses a netlink port, in words.
type opponent struct {
	port uint32
	text string
	at   time.Time
}

// opponent returns a description of the program that deletes our rules and routes over a
// netlink port.
func (m *maintainer) opponent(port uint32) string {
	o := &m.limiter.opponent
	if now := time.Now(); o.text == "" || o.port != port || now.Sub(o.at) > opponentFor {
		*o = opponent{port, findOpponent(m.conn, port, searchDescriptors, now.Add(searchFor)), now}
	}
	return o.text + " keeps undoing it"
}

// findOpponent returns the user of a netlink port in the network namespace of c. The first
// socket of a process normally has the process ID as its port, but in another PID namespace
// that number is the ID of another process. So the process is found by the socket.
func findOpponent(c rtnl.Executor, port uint32, limit int, until time.Time) string {
	if port == 0 {
		return "something"
	}
	unknown := fmt.Sprintf("an unknown process (netlink port %d)", port)
	inode, err := socketOf(c, port)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("a process that has ended, or has closed its socket (netlink port %d),", port)
	case err != nil:
		return unknown
	}
	s := socketSearch{link: "socket:[" + inode + "]", port: strconv.FormatUint(uint64(port), 10), inode: inode, left: limit, until: until}
	s.run()
	switch {
	case s.found != "":
		return "process " + s.found
	case len(s.maybe) == 1:
		return unknown + ", perhaps process " + s.maybe[0]
	}
	return unknown + ", perhaps in another PID namespace,"
}

// socketOf returns the inode of the socket of rtnetlink with a port. The error is
// fs.ErrNotExist if there is none.
func socketOf(c rtnl.Executor, port uint32) (inode string, err error) {
	outer := rtnl.Inside(c, func() error {
		inode, err = findSocket("/proc/thread-self/net/netlink", func(of, _ string) bool {
			return of == strconv.FormatUint(uint64(port), 10)
		})
		return nil
	})
	return inode, errors.Join(outer, err)
}

// findSocket returns the inode of the first socket of rtnetlink in a file of the kernel for
// whose port and inode is returns true.
func findSocket(path string, is func(port, inode string) bool) (inode string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const protocol, port = 1, 2 // columns; the last one is the inode
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) > port+1 && w[protocol] == strconv.Itoa(uapi.NETLINK_ROUTE) && is(w[port], w[len(w)-1]) {
			return w[len(w)-1], nil
		}
	}
	if lines.Err() != nil {
		return "", lines.Err()
	}
	return "", fs.ErrNotExist
}

// A socketSearch looks for the process that has a socket.
type socketSearch struct {
	link  string // what a descriptor of the socket links to
	inode string
	port  string
	left  int       // how many descriptors and processes may still be looked at
	until time.Time // when the search ends

	found string   // the process, with its name
	maybe []string // processes that may have it, but do not let this process look
}

// isOver reports whether the search has ended.
func (s *socketSearch) isOver() bool { return s.left <= 0 || time.Now().After(s.until) }

// run looks at all processes that /proc shows, first at the one with the port as its ID.
func (s *socketSearch) run() {
	if s.look(s.port) {
		return
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer proc.Close()
	for !s.isOver() {
		names, err := proc.Readdirnames(1000)
		for _, pid := range names {
			if pid[0] >= '1' && pid[0] <= '9' && pid != s.port && s.look(pid) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// look looks at the descriptors of a process, and returns true at the end of the search.
func (s *socketSearch) look(pid string) (done bool) {
	s.left--
	dir := "/proc/" + pid + "/"
	f, err := os.Open(dir + "fd")
	if errors.Is(err, fs.ErrPermission) {
		s.consider(pid)
	}
	if err != nil {
		return s.isOver()
	}
	defer f.Close()
	for !s.isOver() {
		names, err := f.Readdirnames(1000)
		for _, fd := range names {
			s.left--
			link, err := os.Readlink(dir + "fd/" + fd)
			switch {
			case errors.Is(err, fs.ErrPermission): // so it is for all of them
				s.consider(pid)
				return s.isOver()
			case err == nil && link == s.link:
				s.found = nameOf(pid)
				return true
			}
		}
		if err != nil {
			break
		}
	}
	return s.isOver()
}

// consider adds a process that may have the socket: it is in the same network namespace, and
// its ID in its own PID namespace is the port.
func (s *socketSearch) consider(pid string) {
	if innermostID(pid) != s.port {
		return
	}
	_, err := findSocket("/proc/"+pid+"/net/netlink", func(_, inode string) bool { return inode == s.inode })
	if err == nil {
		s.maybe = append(s.maybe, nameOf(pid))
	}
}

// innermostID returns the ID that a process has for itself.
func innermostID(pid string) string {
	f, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 1<<16))
	for line := range strings.Lines(string(b)) {
		if ids, ok := strings.CutPrefix(line, "NStgid:"); ok {
			if all := strings.Fields(ids); len(all) > 0 {
				return all[len(all)-1]
			}
		}
	}
	return ""
}

// nameOf returns a process with its name, which the process has chosen itself.
func nameOf(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return pid
	}
	return fmt.Sprintf("%s (%s)", pid, iptext.Printable(strings.TrimSuffix(string(name), "\n")))
}
