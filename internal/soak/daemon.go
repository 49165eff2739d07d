package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
)

// The daemon has to give a sign of life in every watchdogTime, and is started again
// restartTime after its end, as by systemd.
const (
	watchdogTime = 30 * time.Second
	restartTime  = 100 * time.Millisecond
)

// A daemon is "uplinks run" and the part of systemd: it starts the process again after its
// end, and watches for signs of life.
type daemon struct {
	w      *world
	name   string
	binary string
	args   []string
	ns     func() *lab.NS // where it is started
	// mayEnd says that the daemon may end by itself.
	mayEnd bool

	notify *net.UnixConn
	socket string
	wg     sync.WaitGroup

	logLock, notifyLock sync.Mutex // held while nothing is read

	mu       sync.Mutex
	cmd      *exec.Cmd // nil: it does not run
	expected bool      // its end is expected
	stopping bool      // it is not to be started again
	ready    bool
	sign     time.Time // of life
	starts   int
	dumped   int // the goroutines of the last dump
}

func newDaemon(w *world, binary string) *daemon {
	return &daemon{
		w: w, name: "run", binary: binary, ns: func() *lab.NS { return w.host },
		args: []string{"-f", w.file, "-etc", w.etc, "run"},
	}
}

// start starts the daemon and keeps it running until kill.
func (d *daemon) start() (err error) {
	d.socket = filepath.Join(d.w.dir, d.name+".notify")
	if d.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.socket, Net: "unixgram"}); err != nil {
		return err
	}
	d.wg.Go(d.listen)
	first := make(chan error, 1)
	d.wg.Go(func() { d.supervise(first) })
	return <-first
}

// supervise starts the process again and again. The error of the first start goes to first.
func (d *daemon) supervise(first chan<- error) {
	for {
		wait, err := d.launch()
		if first != nil {
			first <- err
			first = nil
		}
		if err != nil {
			d.w.fig.fault("%s was not started: %v", d.name, err)
			return
		}
		wait()
		d.mu.Lock()
		stop := d.stopping
		d.mu.Unlock()
		if stop {
			return
		}
		time.Sleep(restartTime)
	}
}

// launch starts the process. The function waits for its end.
func (d *daemon) launch() (wait func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return func() {}, nil
	}
	cmd := exec.Command(d.binary, d.args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "NOTIFY_SOCKET=" + d.socket,
		"WATCHDOG_USEC=" + strconv.FormatInt(watchdogTime.Microseconds(), 10),
	}
	cmd.SysProcAttr = child()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.ns().Do(cmd.Start); err != nil {
		return nil, err
	}
	d.cmd, d.expected, d.ready, d.sign, d.dumped = cmd, false, false, time.Now(), 0
	d.starts++
	return func() {
		d.read(stderr)
		err := cmd.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ready = false
		if d.cmd = nil; !d.expected && !d.mayEnd {
			d.w.fig.fault("%s ended by itself: %v", d.name, err)
		}
	}, nil
}

// read reads what the process writes, line by line.
func (d *daemon) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		d.logLock.Lock()
		d.logLock.Unlock() //lint:ignore SA2001 it waits
		if line != "" {
			d.w.log.print(d.name + ": " + strconv.QuoteToGraphic(strings.TrimSuffix(line, "\n")))
			d.check("its log", line)
			if strings.HasPrefix(line, "goroutine ") {
				d.mu.Lock()
				d.dumped++
				d.mu.Unlock()
			}
		}
		if err != nil {
			return
		}
	}
}

// check reports control characters.
func (d *daemon) check(where, text string) {
	for _, r := range strings.TrimSuffix(text, "\n") {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			d.w.fig.fault("%s wrote the control character %q to %s: %q", d.name, r, where, text)
			return
		}
	}
}

// listen receives notifications.
func (d *daemon) listen() {
	b := make([]byte, 64<<10)
	for {
		d.notifyLock.Lock()
		d.notifyLock.Unlock() //lint:ignore SA2001 it waits
		n, err := d.notify.Read(b)
		if err != nil {
			return
		}
		if n > 4096 { // systemd ignores it
			d.w.fig.fault("%s sent %d bytes to systemd: %q", d.name, n, b[:200])
		}
		for line := range strings.SplitSeq(string(b[:n]), "\n") {
			d.check("systemd", line)
			d.mu.Lock()
			d.sign = time.Now()
			d.ready = d.ready || line == "READY=1"
			d.mu.Unlock()
		}
	}
}

// isReady reports whether the process has said that it is ready.
func (d *daemon) isReady() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ready
}

// pid returns the process ID, or 0.
func (d *daemon) pid() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return 0
	}
	return d.cmd.Process.Pid
}

// signal sends a signal. If the process ends by it, that is expected.
func (d *daemon) signal(s unix.Signal, ends bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd != nil {
		if ends {
			d.expected, d.ready = true, false
		}
		_ = d.cmd.Process.Signal(s)
	}
}

// pause stops the process for some time.
func (d *daemon) pause(wait func()) {
	d.signal(unix.SIGSTOP, false)
	wait()
	d.signal(unix.SIGCONT, false)
	d.mu.Lock()
	d.sign = time.Now()
	d.mu.Unlock()
}

// watch reports a fault if the process gives no sign of life, and kills it.
func (d *daemon) watch() {
	d.mu.Lock()
	silent := d.cmd != nil && time.Since(d.sign) > watchdogTime
	d.mu.Unlock()
	if silent {
		d.w.fig.fault("%s gave no sign of life for %v", d.name, watchdogTime)
		d.signal(unix.SIGQUIT, true) // the stacks are in the log
	}
}

// dump ends the process with its stacks, and returns the number of its goroutines.
func (d *daemon) dump() int {
	d.mu.Lock()
	starts := d.starts
	d.mu.Unlock()
	d.signal(unix.SIGQUIT, true)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		d.mu.Lock()
		n, ended := d.dumped, d.cmd == nil || d.starts > starts
		d.mu.Unlock()
		if ended {
			return n
		}
	}
	return 0
}

// kill ends the process for good.
func (d *daemon) kill() {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	d.signal(unix.SIGKILL, true)
	if d.notify != nil {
		d.notify.Close()
	}
	d.wg.Wait()
}

// A burden is what a process takes.
type burden struct {
	RSS         uint64        `json:"rss"` // bytes
	Descriptors int           `json:"descriptors"`
	CPU         time.Duration `json:"cpu"` // since the start of the process
}

// burdenOf returns what a process takes.
func burdenOf(pid int) (b burden, err error) {
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return b, err
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return b, err
	}
	var size uint64
	if _, err := fmt.Sscan(string(statm), &size, &b.RSS); err != nil {
		return b, err
	}
	b.RSS *= uint64(os.Getpagesize())
	b.Descriptors = len(fds)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return b, err
	}
	// The name of the process, which may have spaces, is in parentheses.
	w := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system, tick = 11, 12, 10 * time.Millisecond
	for _, word := range w[user : system+1] {
		n, err := strconv.Atoi(word)
		if err != nil {
			return b, err
		}
		b.CPU += time.Duration(n) * tick
	}
	return b, nil
}
