package main

import (
	"strings"
	"testing"
)

// The picture of this host is that of its snapshot, and has the names of rt_tables.
func TestPictureHost(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	h.run(exitOK, "up")
	got, _ := h.run(exitOK, "picture", "198.51.100.7", "from", "192.168.2.2")
	for _, want := range []string{"● 31000  from 192.168.2.2 ━▶ 20 lan2", "policyroute\n", "└ default ━━━", "━▶ 192.168.2.1 ━▶ eth1\n", "\n  32766  from all"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	text, _ := h.run(exitOK, "snapshot")
	world := writeTemp(t, "world", text)
	whole, _ := h.run(exitOK, "picture")
	expectRun(t, whole, "", exitOK, "-world", world, "-etc", h.etc, "picture")
}
