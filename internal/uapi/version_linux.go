package uapi

import "golang.org/x/sys/unix"

// Running returns the version of the kernel that the process runs on, and false if
// it cannot find out. A kernel can have features of a later version, since
// distributions backport them: use the version to explain a failure, not to
// prevent an attempt.
func Running() (Version, bool) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return Version{}, false
	}
	return ParseVersion(unix.ByteSliceToString(u.Release[:]))
}
