//go:build !unix

package files

const openFlags, dirFlags = 0, 0
