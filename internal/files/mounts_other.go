//go:build !linux

package files

// threadMounts returns nothing: all threads have the mounts of their process.
func threadMounts() string { return "" }
