//go:build !linux

package uapi

import "testing"

func TestRunning(t *testing.T) {
	if v, ok := Running(); ok || v != (Version{}) {
		t.Errorf("Running() = %v, %t, want none", v, ok)
	}
}
