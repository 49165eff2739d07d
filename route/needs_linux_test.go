//go:build linux

package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// lacks reports whether the running kernel is older than the first that has an
// attribute. What it then makes of a case is for the test to say: it does not
// skip it.
func lacks(t *testing.T, attr uapi.RTA) bool {
	t.Helper()
	v, ok := uapi.Running()
	if !ok {
		t.Fatal("the kernel does not say its version")
	}
	return v.Less(attr.Since())
}
