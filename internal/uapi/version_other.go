//go:build !linux

package uapi

// Running returns the version of the Linux kernel that the process runs on;
// here there is none.
func Running() (Version, bool) { return Version{}, false }
