//go:build !linux

package uapi

// Running returns false: there is no Linux kernel.
func Running() (Version, bool) { return Version{}, false }
