//go:build linux

package route

import (
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// needsAttr skips a test on a kernel that is too old for what it is about, and
// on no other.
func needsAttr(t *testing.T, attr uapi.RTA) {
	t.Helper()
	if v, ok := uapi.Running(); ok && v.Less(attr.Since()) {
		t.Skipf("%s is of Linux %s, and this is %s", attr, attr.Since(), v)
	}
}
