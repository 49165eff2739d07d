//go:build linux

package rule

import (
	"testing"

	"github.com/policyroute/policyroute/internal/uapi"
)

// needs skips a test on a kernel that is too old for what it is about, and on
// no other.
func needs(t *testing.T, attr uapi.FRA) {
	t.Helper()
	if v, ok := uapi.Running(); ok && v.Less(attr.Since()) {
		t.Skipf("%s is of Linux %s, and this is %s", attr, attr.Since(), v)
	}
}
