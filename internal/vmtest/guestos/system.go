//go:build linux

// Package guestos is what the programs of the virtual machines share: the serial port for
// events, and the loading of kernel modules.
package guestos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// A Sender writes events to the port. As an io.Writer it sends events with output.
type Sender struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewSender returns a Sender for a port.
func NewSender(port *os.File) *Sender {
	return &Sender{enc: json.NewEncoder(port)}
}

// Send sends an event. It ignores errors, because the host notices that wire.End is missing.
func (s *Sender) Send(e wire.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enc.Encode(e)
}

// Write sends an event with output.
func (s *Sender) Write(b []byte) (int, error) {
	s.Send(wire.Event{Kind: wire.Output, Data: b})
	return len(b), nil
}

// OpenPort opens a serial port in raw mode: the terminal does not change the bytes.
func OpenPort(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = unix.B115200 | unix.CS8 | unix.CREAD | unix.CLOCAL // as fast as the port can be
		err = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Drain waits until the port has sent everything. Otherwise the last bytes would be lost when
// the machine goes down.
func Drain(port *os.File) error {
	// With an argument other than zero, TCSBRK is tcdrain(3).
	return unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1)
}

// LoadModule loads a kernel module, whose needs are loaded already.
func LoadModule(path string) error {
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
