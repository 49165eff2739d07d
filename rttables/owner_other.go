//go:build !unix

package rttables

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: the file inherits its owner and rights.
func keepOwner(*os.File, fs.FileInfo) (sameGroup bool, err error) { return true, nil }

// syncDir does nothing: a directory cannot be synchronised by itself.
func syncDir(string) error { return nil }

func isReadOnly(error) bool { return false }
