package rttables

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// keepAttributes gives tmp the extended attributes of the file at target: access control
// lists, labels of security modules, and those of users. It fails if one would be lost.
func keepAttributes(tmp *os.File, target string) error {
	list, err := readAttribute(func(b []byte) (int, error) { return unix.Listxattr(target, b) })
	if err != nil {
		return attributeError(target, "", err)
	}
	for name := range strings.SplitSeq(string(list), "\x00") {
		switch name {
		case "", "security.ima", "security.evm": // these are sums of the contents
			continue
		}
		value, err := readAttribute(func(b []byte) (int, error) { return unix.Getxattr(target, name, b) })
		if err != nil {
			return attributeError(target, name, err)
		}
		fd := int(tmp.Fd())
		if have, err := readAttribute(func(b []byte) (int, error) { return unix.Fgetxattr(fd, name, b) }); err == nil && bytes.Equal(have, value) && len(value) > 0 {
			continue // such as a label, which a new file has from its directory
		}
		if err := unix.Fsetxattr(fd, name, value, 0); err != nil {
			return attributeError(target, name, err)
		}
	}
	return nil
}

func attributeError(target, name string, err error) error {
	if errors.Is(err, unix.ENOTSUP) && name == "" || errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOENT) {
		return nil // the file system has none, or it was removed in the meantime, or the file was
	}
	return &fs.PathError{Op: "write", Path: target, Err: fmt.Errorf("the extended attribute %q would be lost: %w", name, err)}
}

// readAttribute calls a function that reads into a buffer, and returns the size that it
// needs for none.
func readAttribute(read func([]byte) (int, error)) ([]byte, error) {
	for {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		b := make([]byte, size)
		n, err := read(b)
		if errors.Is(err, unix.ERANGE) {
			continue // it has grown
		}
		if err != nil {
			return nil, err
		}
		return b[:n], nil
	}
}
