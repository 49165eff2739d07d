package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Enter enables the process to make network namespaces. A program calls it first in main.
// For root it does nothing.
//
// For an ordinary user, Enter runs the program again as root of a new user namespace, and
// does not return. It passes on the arguments, the environment, the standard streams and the
// signals, waits, and exits with the status of the second process. The second process is
// killed when the first one ends for any reason. It has a process group of its own, so a
// Ctrl-C reaches it once, and Ctrl-Z stops both processes. It cannot read from a terminal.
//
// If the kernel forbids user namespaces, the error says how to allow them.
func Enter() error { return enter() }

// Main calls [Enter], runs the tests of a package, and exits. If the kernel refuses
// namespaces, the tests fail.
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// With POLICYROUTE_LAB=off in the environment, Main does not call Enter. That is for tests
// that need no namespace on a machine without namespaces, such as an emulated one.
func Main(m interface{ Run() int }) {
	if order := os.Getenv(holdEnv); order != "" {
		obeyHold(order)
	}
	if os.Getenv(labEnv) == "off" {
		os.Exit(m.Run())
	}
	if err := Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// holdEnv is the environment variable of the processes of [NS.Hold].
const holdEnv = "POLICYROUTE_LAB_HOLD"

// labEnv is the environment variable that turns Enter off in Main.
const labEnv = "POLICYROUTE_LAB"

// A kernelParam is a kernel parameter that can forbid namespaces.
type kernelParam struct {
	key    string // in the notation of sysctl(8)
	forbid string
	allow  string
	root   bool // applies to root too
}

// kernelParams has the known parameters: one of the kernels of Debian and Ubuntu, one of
// AppArmor since Ubuntu 23.10, and two of Linux, which some distributions set to zero.
var kernelParams = []kernelParam{
	{key: "kernel.unprivileged_userns_clone", forbid: "0", allow: "1"},
	{key: "kernel.apparmor_restrict_unprivileged_userns", forbid: "1", allow: "0"},
	{key: "user.max_user_namespaces", forbid: "0", allow: "15000"},
	{key: "user.max_net_namespaces", forbid: "0", allow: "15000", root: true},
}

// explainRefusal returns err with the reason why the kernel refused a namespace to the user
// uid, and the advice how to allow it. The reason is taken from /proc/sys.
func explainRefusal(err error, sys fs.FS, uid int) error {
	var fix []string
	for _, k := range kernelParams {
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
