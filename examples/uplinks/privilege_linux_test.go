package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutNetAdmin runs fn in the namespace without CAP_NET_ADMIN, as an ordinary
// user would. Capabilities are a thread's, and Do keeps fn on one.
func (h *host) withoutNetAdmin(fn func()) {
	h.Helper()
	err := h.ns.Do(func() error {
		header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var all, less [2]unix.CapUserData // 64 capabilities
		if err := unix.Capget(header, &all[0]); err != nil {
			return os.NewSyscallError("capget", err)
		}
		less = all
		less[0].Effective &^= 1 << unix.CAP_NET_ADMIN
		if err := unix.Capset(header, &less[0]); err != nil {
			return os.NewSyscallError("capset", err)
		}
		fn()
		return os.NewSyscallError("capset", unix.Capset(header, &all[0]))
	})
	if err != nil {
		h.Fatal(err)
	}
}

// An ordinary user cannot read what nf_tables has, which plan and status say, and up does not
// succeed without it.
func TestReplyPrivilege(t *testing.T) {
	h := newHost(t, replyConf)
	h.run(exitOK, "up")
	before := h.state()
	h.withoutNetAdmin(func() {
		const unknown = "uplinks: warning: the steps for answers are not known: only root can read nf_tables\n"
		if _, stderr := h.runIn(t.Context(), exitOK, "plan"); stderr != unknown {
			t.Errorf("plan: %s", stderr)
		}
		if out, _ := h.runIn(t.Context(), exitOK, "status"); !strings.Contains(out, "answers: unknown: only root can read nf_tables\n") {
			t.Errorf("status:\n%s", out)
		}
		if _, stderr := h.runIn(t.Context(), exitFailure, "up"); !strings.Contains(stderr, "needs root or CAP_NET_ADMIN") {
			t.Errorf("up: %s", stderr)
		}
		h.runIn(t.Context(), exitFailure, "down")
	})
	h.unchanged(before)
}

// An ordinary user can read, and changes fail with the privilege that they need.
func TestPrivilege(t *testing.T) {
	h := newHost(t, twoProviders)
	h.run(exitOK, "up", "lan1")
	before := h.state()
	h.withoutNetAdmin(func() {
		h.runIn(t.Context(), exitPending, "plan")
		h.runIn(t.Context(), exitPending, "status")
		h.runIn(t.Context(), exitPending, "-adopt", "plan")
		if file, _ := h.runIn(t.Context(), exitOK, "init"); !strings.Contains(file, "dev eth0 via 192.168.1.1") {
			t.Errorf("init:\n%s", file)
		}
		h.runIn(t.Context(), exitOK, "up", "lan1")
		_, stderr := h.runIn(t.Context(), exitFailure, "up")
		const want = "uplinks: uplink lan2: ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2: " +
			"operation not permitted: needs root or CAP_NET_ADMIN; nothing was changed\n"
		if stderr != want {
			t.Errorf("%s\nwant %s", stderr, want)
		}
		_, stderr = h.runIn(t.Context(), exitFailure, "down")
		if !strings.Contains(stderr, "operation not permitted: needs root or CAP_NET_ADMIN; nothing was changed") {
			t.Errorf("%s", stderr)
		}
		// The shared default route is removed before the uplinks, in a transaction of its own.
		h.write(h.file, strings.ReplaceAll(twoProviders, "via 192.168", "weight 1 via 192.168"))
		_, stderr = h.runIn(t.Context(), exitFailure, "down")
		if !strings.Contains(stderr, "the default route that the uplinks share is removed, but the uplinks are not") {
			t.Errorf("%s", stderr)
		}
		h.write(h.file, twoProviders)
	})
	h.unchanged(before)
}
