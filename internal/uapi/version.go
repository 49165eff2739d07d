package uapi

import (
	"cmp"
	"strconv"
	"strings"
)

// A Version is the part of a kernel version that determines its features: 6.15 of
// 6.15.3. The zero Version is older than every real version. As the age of a
// constant it means that every kernel has the constant: Go itself needs Linux 3.2,
// so features of Linux 2.6 need no check.
type Version struct{ Major, Minor uint8 }

// String returns "6.15".
func (v Version) String() string {
	return strconv.Itoa(int(v.Major)) + "." + strconv.Itoa(int(v.Minor))
}

// Compare returns -1, 0 or +1, as [cmp.Compare] does.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(v.Major, w.Major); c != 0 {
		return c
	}
	return cmp.Compare(v.Minor, w.Minor)
}

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool { return v.Compare(w) < 0 }

// ParseVersion reads the release that uname(2) reports, such as "6.18.44-fc",
// "5.15.0-91-generic" or "6.12-rc1". It returns false if release does not begin
// with two numbers with a point between them.
func ParseVersion(release string) (Version, bool) {
	major, rest, ok := leadingNumber(release)
	if !ok || major == 0 || !strings.HasPrefix(rest, ".") {
		return Version{}, false
	}
	minor, rest, ok := leadingNumber(rest[1:])
	if !ok || rest != "" && !strings.ContainsRune(".-+_~ ", rune(rest[0])) {
		return Version{}, false
	}
	return Version{major, minor}, true
}

// leadingNumber splits s after its leading digits. It returns false if there are
// none or the number is above 255.
func leadingNumber(s string) (n uint8, rest string, ok bool) {
	end := 0
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	v, err := strconv.ParseUint(s[:end], 10, 8)
	return uint8(v), s[end:], err == nil
}
