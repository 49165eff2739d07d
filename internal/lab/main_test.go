//go:build linux

package lab_test

import (
	"os"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" {
		helper(name) // does not return
	}
	lab.Main(m)
}

// pair is the network of most tests: one link with both families.
func pair(t *testing.T) (a, b *lab.NS) {
	t.Helper()
	l := lab.Test(t)
	a, b = l.NS("a"), l.NS("b")
	a.Link("eth0", b, "eth0")
	a.Addr("eth0", "10.0.0.1/24", "2001:db8::1/64")
	b.Addr("eth0", "10.0.0.2/24", "2001:db8::2/64")
	return a, b
}

func proto(n uint8) func(lab.Packet) bool {
	return func(p lab.Packet) bool { return p.Proto == n && p.Src.IsValid() }
}
