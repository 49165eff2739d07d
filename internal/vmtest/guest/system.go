//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A sender writes events to the port. As an io.Writer it sends events with output.
type sender struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func newSender(port *os.File) *sender {
	return &sender{enc: json.NewEncoder(port)}
}

// send sends an event. It ignores errors, because the host notices that wire.End is missing.
func (s *sender) send(e wire.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enc.Encode(e)
}

func (s *sender) Write(b []byte) (int, error) {
	s.send(wire.Event{Kind: wire.Output, Data: b})
	return len(b), nil
}

// openPort opens a serial port in raw mode: the terminal does not change the bytes.
func openPort(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// drain waits until the port has sent everything. Otherwise the last bytes would be lost when
// the machine goes down.
func drain(port *os.File) error {
	// With an argument other than zero, TCSBRK is tcdrain(3).
	return unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1)
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		return fmt.Errorf("module %s: %w", filepath.Base(path), err)
	}
	return nil
}

// setUp takes an interface up. The tests expect that the loopback is up, as on other hosts.
func setUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// mounts are the file systems to mount, in order.
var mounts = []struct{ source, target, fstype string }{
	{"proc", "/proc", "proc"},
	{"sysfs", "/sys", "sysfs"},
	{"devtmpfs", "/dev", "devtmpfs"},
	{"tmpfs", "/dev/shm", "tmpfs"},
	{"tmpfs", "/run", "tmpfs"},
	{"tmpfs", "/tmp", "tmpfs"},
}

func mountAll() error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.fstype, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := os.Symlink("/proc/self/fd", "/dev/fd"); err != nil {
		return err
	}
	return os.Chmod("/tmp", 0o1777)
}
