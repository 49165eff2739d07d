package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Enter makes the process able to make network namespaces. A program calls it
// first in main; for root it does nothing.
//
// For an ordinary user it runs the program again, in a user namespace where it
// is root, and does not return: it passes on the arguments, the environment,
// the standard streams and the signals, waits, and exits as that process does.
// The second process is killed with the first, however that ends. It has a
// process group of its own, so that a Ctrl-C reaches it once, and Ctrl-Z stops
// both; reading from a terminal is an error there.
//
// Where the kernel forbids user namespaces the error says what to do.
func Enter() error { return enter() }

// Main runs the tests of a package where they can make network namespaces, and
// exits. A kernel that refuses is a failure, not a skip.
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// With POLICYROUTE_LAB=off in the environment the tests run where they are, for
// those that need no namespace on a machine that has none, such as an emulated
// one.
func Main(m interface{ Run() int }) {
	if os.Getenv(off) == "off" {
		os.Exit(m.Run())
	}
	if err := Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// off is the variable that keeps Main out of namespaces.
const off = "POLICYROUTE_LAB"

// A knob is a kernel parameter that forbids namespaces when it has one value.
type knob struct {
	key    string // in sysctl(8)'s notation
	forbid string
	allow  string
	root   bool // also for root
}

// knobs are the known ones: of Debian and Ubuntu's kernels, of AppArmor from
// Ubuntu 23.10, and of the kernel itself, where some distributions set a zero.
var knobs = []knob{
	{key: "kernel.unprivileged_userns_clone", forbid: "0", allow: "1"},
	{key: "kernel.apparmor_restrict_unprivileged_userns", forbid: "1", allow: "0"},
	{key: "user.max_user_namespaces", forbid: "0", allow: "15000"},
	{key: "user.max_net_namespaces", forbid: "0", allow: "15000", root: true},
}

// refused explains why the kernel made no namespace for the user uid, by what
// /proc/sys says. It wraps err.
func refused(err error, sys fs.FS, uid int) error {
	var fix []string
	for _, k := range knobs {
		b, e := fs.ReadFile(sys, strings.ReplaceAll(k.key, ".", "/"))
		if e == nil && strings.TrimSpace(string(b)) == k.forbid && (uid != 0 || k.root) {
			fix = append(fix, fmt.Sprintf("sudo sysctl -w %s=%s", k.key, k.allow))
		}
	}
	advice := "run it as root (sudo); no kernel parameter forbids it to this user, " +
		"so a security module or a container's seccomp profile does"
	switch {
	case len(fix) > 0 && uid == 0:
		advice = "allow it:\n\t" + strings.Join(fix, "\n\t")
	case len(fix) > 0:
		advice = "run it as root (sudo), or allow it to this user:\n\t" + strings.Join(fix, "\n\t")
	case errors.Is(err, syscall.ENOSPC):
		advice = "too many namespaces exist already; see user.max_user_namespaces and user.max_net_namespaces"
	case errors.Is(err, syscall.EINVAL):
		advice = "run it as root (sudo), or on a kernel built with CONFIG_USER_NS and CONFIG_NET_NS"
	case uid == 0:
		advice = "this root lacks CAP_SYS_ADMIN: start the container with --privileged, " +
			"or with --cap-add SYS_ADMIN,NET_ADMIN,NET_RAW and a seccomp profile that allows unshare"
	}
	return fmt.Errorf("lab: the kernel refuses a network namespace to user %d: %w\n%s", uid, err, advice)
}
