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
// A packet that leaves by a veth goes into the backlog of the sender's CPU, and from there
// to the peer. Normally that is done before send returns, but under load a kernel thread
// does it later. flushBacklogs checks each backlog on its own CPU: if it is empty there, the
// kernel is not processing a packet on that CPU either.
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
			return // the thread stays locked, so that it ends with its goroutine
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
		n, err := readBacklog(cpu)
		if err != nil || n == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d packets have waited on CPU %d for %v", n, cpu, patience)
		}
	}
}

// readBacklog returns the number of packets that wait on a CPU. It returns zero for a CPU
// without a line, which is offline, and on Linux before 5.10, which does not have the columns.
func readBacklog(cpu int) (uint64, error) {
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
