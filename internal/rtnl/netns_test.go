package rtnl

import "testing"

func TestNetNSPath(t *testing.T) {
	for name, want := range map[string]string{
		"lan2": "/run/netns/lan2", "/proc/1/ns/net": "/proc/1/ns/net", "./ns": "./ns",
	} {
		if got := NetNSPath(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
