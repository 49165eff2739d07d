package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
)

// errClosed is the answer of a namespace, a tap or a Lab after Close.
var errClosed = fmt.Errorf("lab: %w", net.ErrClosed)

// ignoreClosed forgives a second Close.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// quiet is what a new namespace is set to, so that nothing is sent that the
// test did not send, and nothing depends on the host: IPv4 settings are
// inherited from it. The interfaces made later start with the values of
// "default".
var quiet = []struct{ key, value string }{
	{"net.ipv4.conf.all.rp_filter", "0"},
	{"net.ipv4.conf.default.rp_filter", "0"},
	{"net.ipv6.conf.all.accept_dad", "0"},
	{"net.ipv6.conf.default.accept_dad", "0"},
	{"net.ipv6.conf.all.accept_ra", "0"},
	{"net.ipv6.conf.default.accept_ra", "0"},
}

// An NS is a network namespace.
type NS struct {
	lab    *Lab
	name   string
	chatty bool

	mu   sync.Mutex
	fd   int // -1 after Close
	conn *rtnetlink.Conn
}

// An NSConfig says what a new namespace is like.
type NSConfig struct {
	// Name is what errors call the namespace. It is not written anywhere.
	Name string

	// KernelDefaults leaves the kernel's own settings: reverse path filter
	// as on the host, IPv6 duplicate address detection and router
	// solicitations on. Most tests leave it false.
	KernelDefaults bool
}

// NS makes a network namespace with its loopback up and nothing else in it.
func (l *Lab) NS(name string) *NS {
	l.tb.Helper()
	return l.NewNS(NSConfig{Name: name})
}

// NewNS makes a network namespace as cfg says, with its loopback up.
func (l *Lab) NewNS(cfg NSConfig) *NS {
	l.tb.Helper()
	ns := &NS{lab: l, name: cfg.Name, chatty: cfg.KernelDefaults, fd: -1}
	l.step("make namespace "+cfg.Name, func() error {
		fd, err := createNS()
		if err != nil {
			return fmt.Errorf("%w (does TestMain call lab.Main, or main lab.Enter?)", err)
		}
		if err := ns.adopt(fd); err != nil {
			return err
		}
		if !cfg.KernelDefaults {
			if err := ns.Do(silence); err != nil {
				return err
			}
		}
		return ns.up("lo")
	})
	return ns
}

// Open opens a namespace that exists, by a path that [NS.Path] gave to another
// process, or any other: /proc/PID/ns/net, /run/netns/NAME.
func (l *Lab) Open(name, path string) *NS {
	l.tb.Helper()
	ns := &NS{lab: l, name: name, fd: -1}
	l.step("open namespace "+name, func() error {
		fd, err := openNS(path)
		if err != nil {
			return err
		}
		return ns.adopt(fd)
	})
	return ns
}

// adopt gives the namespace its descriptor and a netlink socket inside it.
func (ns *NS) adopt(fd int) error {
	ns.mu.Lock()
	ns.fd = fd
	ns.mu.Unlock()
	if err := ns.lab.own(ns); err != nil {
		return err
	}
	conn, err := rtnetlink.Dial(ns.Config())
	if err != nil {
		return err
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.conn = conn
	return nil
}

// String returns the namespace's name.
func (ns *NS) String() string { return ns.name }

// FD returns the descriptor that holds the namespace, -1 after Close. It is
// closed by the Lab and not inherited by other programs.
func (ns *NS) FD() int {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.fd
}

// Config returns what opens a netlink socket in the namespace.
func (ns *NS) Config() *netlink.Config {
	return &netlink.Config{NetNS: ns.FD(), Strict: true}
}

// Path returns a path by which another process of the same user can open the
// namespace while this one lives.
func (ns *NS) Path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.FD())
}

// Do runs fn in the namespace: sockets that it opens belong there, programs
// that it starts run there, and /proc/sys/net is the namespace's. It runs on
// the caller's goroutine, which stays on one thread meanwhile; goroutines that
// fn starts are not in the namespace.
func (ns *NS) Do(fn func() error) error {
	fd := ns.FD()
	if fd < 0 {
		return errClosed
	}
	return inNS(fd, fn)
}

// Close closes the namespace before its Lab is. The kernel removes it when
// also the sockets in it are closed.
func (ns *NS) Close() error {
	ns.mu.Lock()
	fd, conn := ns.fd, ns.conn
	ns.fd, ns.conn = -1, nil
	ns.mu.Unlock()

	var errs []error
	if conn != nil {
		errs = append(errs, conn.Close())
	}
	if fd >= 0 {
		errs = append(errs, closeFD(fd))
	}
	return errors.Join(errs...)
}

// step is Lab.step with the namespace's name in front.
func (ns *NS) step(what string, fn func() error) {
	ns.lab.tb.Helper()
	ns.lab.step(ns.name+": "+what, fn)
}

// Sysctl sets a kernel parameter of the namespace, such as
// net.ipv4.conf.all.rp_filter. As in sysctl(8), a key whose first separator is
// a slash may have dots in its parts: net/ipv4/conf/eth0.100/rp_filter.
func (ns *NS) Sysctl(key, value string) {
	ns.lab.tb.Helper()
	ns.step(fmt.Sprintf("sysctl %s=%s", key, value), func() error {
		return ns.Do(func() error { return writeSysctl(key, value) })
	})
}

// SysctlValue reads a kernel parameter of the namespace.
func (ns *NS) SysctlValue(key string) (value string, err error) {
	err = ns.Do(func() error {
		b, err := os.ReadFile(sysctlPath(key))
		value = strings.TrimSpace(string(b))
		return err
	})
	return value, err
}

// silence makes the current namespace quiet. A kernel without IPv6 has none
// of its parameters and needs none.
func silence() error {
	for _, p := range quiet {
		err := writeSysctl(p.key, p.value)
		if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(p.key, "net.ipv6.") {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSysctl never creates a file, so that a wrong key is ErrNotExist.
func writeSysctl(key, value string) error {
	f, err := os.OpenFile(sysctlPath(key), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func sysctlPath(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		key = strings.NewReplacer(".", "/", "/", ".").Replace(key)
	}
	return filepath.Join("/proc/sys", key)
}
