package rtnl

import (
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestNetNSPath(t *testing.T) {
	report := testrun.Limit(t)
	for name, want := range map[string]string{
		"lan2": "/run/netns/lan2", "/proc/1/ns/net": "/proc/1/ns/net", "./ns": "./ns",
	} {
		if got := NetNSPath(name); got != want {
			report.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
