//go:build !linux

package rttables

import "os"

// keepAttributes does nothing: extended attributes are a matter of each system.
func keepAttributes(*os.File, string) error { return nil }
