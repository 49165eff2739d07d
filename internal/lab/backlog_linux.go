package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// flushBacklogs waits until every packet that was sent before, by any thread,
// has arrived at the other end of its veth pair.
//
// What leaves by a veth goes into the backlog of the sender's CPU and comes out
// of it at the peer, as a rule before send returns; under load a kernel thread
// finishes the work later. A backlog is found empty while running on its own
// CPU: then the kernel is not in the middle of a packet there either.
func flushBacklogs() (err error) {
	runtime.LockOSThread()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		runtime.UnlockOSThread()
		return os.NewSyscallError("sched_getaffinity", err)
	}
	defer func() {
		if e := unix.SchedSetaffinity(0, &all); e != nil {
			err = errors.Join(err, os.NewSyscallError("sched_setaffinity", e))
			return // and leave this thread to die with its goroutine
		}
		runtime.UnlockOSThread()
	}()
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		left--
		if err := flushBacklog(cpu); err != nil {
			return err
		}
	}
	return nil
}

func flushBacklog(cpu int) error {
	const patience = 5 * time.Second
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Microsecond) {
		n, err := backlog(cpu)
		if err != nil || n == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d packets have waited on CPU %d for %v", n, cpu, patience)
		}
	}
}

// backlog reads how many packets wait on a CPU. A CPU without a line is
// offline, and a line without the columns (before Linux 5.10) says nothing.
func backlog(cpu int) (uint64, error) {
	const (
		path    = "/proc/thread-self/net/softnet_stat"
		waiting = 11 // since Linux 5.10
		number  = 12
	)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) <= number {
			continue
		}
		n, err := strconv.ParseUint(f[number], 16, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if n == uint64(cpu) {
			return strconv.ParseUint(f[waiting], 16, 64)
		}
	}
	return 0, nil
}
