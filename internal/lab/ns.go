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

	"github.com/policyroute/policyroute/internal/uapi"
)

// errClosed is the error of a namespace, a tap or a Lab after Close.
var errClosed = fmt.Errorf("lab: %w", net.ErrClosed)

// ignoreClosed returns nil for the error of a second Close.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// quietSettings are the kernel parameters of a new namespace. With them the kernel sends few
// packets by itself, and nothing depends on the host, whose IPv4 settings a new namespace
// would inherit. New interfaces get the values of "default".
var quietSettings = []struct{ key, value string }{
	{"net.ipv4.conf.all.rp_filter", "0"},
	{"net.ipv4.conf.default.rp_filter", "0"},
	{"net.ipv6.conf.all.accept_dad", "0"},
	{"net.ipv6.conf.default.accept_dad", "0"},
	{"net.ipv6.conf.all.accept_ra", "0"},
	{"net.ipv6.conf.default.accept_ra", "0"},
}

// An NS is a network namespace.
type NS struct {
	lab            *Lab
	name           string
	kernelDefaults bool

	mu   sync.Mutex
	fd   int // -1 after Close
	conn *rtnetlink.Conn
	raw  *netlink.Conn // for NS.ask
}

// An NSConfig has the properties of a new namespace.
type NSConfig struct {
	// Name is the name of the namespace in errors. It is not used elsewhere.
	Name string

	// KernelDefaults keeps the settings of the kernel: the reverse path filter of
	// the host, IPv6 duplicate address detection and router solicitations. Most
	// tests leave it false.
	KernelDefaults bool
}

// NS makes a network namespace. Its only interface is the loopback, which is up.
func (l *Lab) NS(name string) *NS {
	l.tb.Helper()
	return l.NewNS(NSConfig{Name: name})
}

// NewNS makes a network namespace with a configuration. Its loopback is up.
func (l *Lab) NewNS(cfg NSConfig) *NS {
	l.tb.Helper()
	ns := &NS{lab: l, name: cfg.Name, kernelDefaults: cfg.KernelDefaults, fd: -1}
	l.step("make namespace "+cfg.Name, func() error {
		fd, err := createNS()
		if err != nil {
			return fmt.Errorf("%w (does TestMain call lab.Main, or main lab.Enter?)", err)
		}
		if err := ns.setFD(fd); err != nil {
			return err
		}
		if !cfg.KernelDefaults {
			if err := ns.Do(makeQuiet); err != nil {
				return err
			}
		}
		return ns.up("lo")
	})
	return ns
}

// Open opens an existing namespace by its path: one that [NS.Path] returned, or a path such
// as /proc/PID/ns/net or /run/netns/NAME.
func (l *Lab) Open(name, path string) *NS {
	l.tb.Helper()
	ns := &NS{lab: l, name: name, fd: -1}
	l.step("open namespace "+name, func() error {
		fd, err := openNS(path)
		if err != nil {
			return err
		}
		return ns.setFD(fd)
	})
	return ns
}

// setFD sets the descriptor of the namespace, and opens a netlink socket in it.
func (ns *NS) setFD(fd int) error {
	ns.mu.Lock()
	ns.fd = fd
	ns.mu.Unlock()
	if err := ns.lab.closeLater(ns); err != nil {
		return err
	}
	conn, err := rtnetlink.Dial(ns.Config())
	if err != nil {
		return err
	}
	raw, err := netlink.Dial(uapi.NETLINK_ROUTE, ns.Config())
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.conn, ns.raw = conn, raw
	return nil
}

// String returns the namespace's name.
func (ns *NS) String() string { return ns.name }

// FD returns the descriptor that holds the namespace, or -1 after Close. The Lab closes it,
// and other programs do not inherit it.
func (ns *NS) FD() int {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.fd
}

// Config returns the configuration for a netlink socket in the namespace.
func (ns *NS) Config() *netlink.Config {
	return &netlink.Config{NetNS: ns.FD(), Strict: true}
}

// Path returns a path by which another process of the same user can open the namespace
// until this process ends.
func (ns *NS) Path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.FD())
}

// Do runs fn in the namespace. Sockets that fn opens belong to the namespace, programs that
// it starts run in it, and /proc/sys/net has its parameters. Do runs fn on the goroutine of
// the caller, which is locked to its thread during the call. Goroutines that fn starts do
// not run in the namespace.
func (ns *NS) Do(fn func() error) error {
	fd := ns.FD()
	if fd < 0 {
		return errClosed
	}
	return inNS(fd, fn)
}

// Close closes the namespace before the Lab is closed. The kernel removes the namespace when
// the sockets in it are closed too.
func (ns *NS) Close() error {
	ns.mu.Lock()
	fd, conn, raw := ns.fd, ns.conn, ns.raw
	ns.fd, ns.conn, ns.raw = -1, nil, nil
	ns.mu.Unlock()

	var errs []error
	if conn != nil {
		errs = append(errs, conn.Close(), raw.Close())
	}
	if fd >= 0 {
		errs = append(errs, closeFD(fd))
	}
	return errors.Join(errs...)
}

// step is like Lab.step, with the name of the namespace before what.
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

// makeQuiet applies quietSettings to the current namespace. A kernel without IPv6 does not
// have the parameters of IPv6.
func makeQuiet() error {
	for _, p := range quietSettings {
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

// writeSysctl sets a kernel parameter. It does not create a file, so the error for an unknown
// key is ErrNotExist.
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
