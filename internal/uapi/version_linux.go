package uapi

import "golang.org/x/sys/unix"

// Running returns the version of the kernel that the process runs on. It is
// false where that cannot be told. A kernel may have a feature that its version
// does not promise, as distributions carry features back: use the version to
// explain a failure, not to forbid an attempt.
func Running() (Version, bool) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Version{}, false
	}
	return Parse(unix.ByteSliceToString(u.Release[:]))
}
