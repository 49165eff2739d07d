package files

import "os"

// threadMounts returns the mount namespace of this thread, as readlink(1) prints it. It is
// empty if that is not known.
func threadMounts() string {
	name, _ := os.Readlink("/proc/thread-self/ns/mnt")
	return name
}
