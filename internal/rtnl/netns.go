package rtnl

import (
	"path/filepath"
	"strings"
)

// NetNSPath returns the path of a network namespace that a command line names: name
// itself if it is a path, and the file that "ip netns add NAME" makes otherwise.
func NetNSPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return filepath.Join("/run/netns", name)
}
