package lab

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestRefused(t *testing.T) {
	const (
		sudo   = "run it as root (sudo), or allow it to this user:"
		debian = "kernel/unprivileged_userns_clone"
		ubuntu = "kernel/apparmor_restrict_unprivileged_userns"
		users  = "user/max_user_namespaces"
		nets   = "user/max_net_namespaces"
	)
	for _, tt := range []struct {
		name string
		err  error
		uid  int
		sys  map[string]string
		want []string // the lines after the first
	}{
		{"Debian", syscall.EPERM, 1000, map[string]string{debian: "0\n", users: "96365\n"},
			[]string{sudo, "\tsudo sysctl -w kernel.unprivileged_userns_clone=1"}},
		{"Ubuntu", syscall.EPERM, 1000, map[string]string{debian: "1\n", ubuntu: "1\n", users: "96365\n"},
			[]string{sudo, "\tsudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}},
		{"no user namespaces", syscall.ENOSPC, 1000, map[string]string{users: "0\n", ubuntu: "0\n"},
			[]string{sudo, "\tsudo sysctl -w user.max_user_namespaces=15000"}},
		{"two at once", syscall.EPERM, 1000, map[string]string{ubuntu: "1\n", nets: "0\n"}, []string{sudo,
			"\tsudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
			"\tsudo sysctl -w user.max_net_namespaces=15000"}},
		{"the limit", syscall.ENOSPC, 1000, map[string]string{users: "3\n", nets: "3\n"},
			[]string{"too many namespaces exist already; see user.max_user_namespaces and user.max_net_namespaces"}},
		{"not built in", syscall.EINVAL, 1000, nil,
			[]string{"run it as root (sudo), or on a kernel built with CONFIG_USER_NS and CONFIG_NET_NS"}},
		{"seccomp", syscall.EPERM, 1000, map[string]string{users: "96365\n"},
			[]string{"run it as root (sudo); no kernel parameter forbids it to this user, " +
				"so a security module or a container's seccomp profile does"}},
		{"root of a container", syscall.EPERM, 0, map[string]string{ubuntu: "1\n"},
			[]string{"this root lacks CAP_SYS_ADMIN: start the container with --privileged, " +
				"or with --cap-add SYS_ADMIN,NET_ADMIN,NET_RAW and a seccomp profile that allows unshare"}},
		{"root", syscall.ENOSPC, 0, map[string]string{nets: "0\n"},
			[]string{"allow it:", "\tsudo sysctl -w user.max_net_namespaces=15000"}},
	} {
		sys := fstest.MapFS{}
		for k, v := range tt.sys {
			sys[k] = &fstest.MapFile{Data: []byte(v)}
		}
		err := explainRefusal(tt.err, sys, tt.uid)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v does not wrap %v", tt.name, err, tt.err)
		}
		if _, got, _ := strings.Cut(testrun.Error(err), "\n"); got != strings.Join(tt.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, strings.Join(tt.want, "\n"))
		}
	}
}
