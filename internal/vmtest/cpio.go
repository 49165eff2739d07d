package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An archive writes the format "newc" of cpio(5), which the kernel unpacks from an initramfs.
// Times and owners are zero. Each entry has its own inode number, because the kernel treats
// equal numbers as hard links.
type archive struct {
	w    *bufio.Writer
	pos  int64
	ino  uint32
	dirs map[string]bool
	err  error
}

func newArchive(w io.Writer) *archive {
	return &archive{w: bufio.NewWriterSize(w, 1<<20), dirs: map[string]bool{"": true}}
}

// The values of the file types in the mode of an entry.
const (
	cpioDir     = 0o040000
	cpioDevice  = 0o020000
	cpioFile    = 0o100000
	cpioSymlink = 0o120000
)

// dir adds a directory and its parents, each once. The kernel does not make missing parents.
func (a *archive) dir(name string) {
	name = entryName(name)
	if a.dirs[name] {
		return
	}
	a.dir(path.Dir(name))
	a.dirs[name] = true
	a.entry(name, cpioDir|0o755, 0, nil)
}

// device adds a character device.
func (a *archive) device(name string, major, minor uint32) {
	a.dir(path.Dir(name))
	a.header(entryName(name), cpioDevice|0o600, 0, major, minor)
}

func (a *archive) symlink(name, target string) {
	a.dir(path.Dir(name))
	a.entry(name, cpioSymlink|0o777, int64(len(target)), strings.NewReader(target))
}

func (a *archive) data(name string, b []byte) {
	a.dir(path.Dir(name))
	a.entry(name, cpioFile|0o644, int64(len(b)), strings.NewReader(string(b)))
}

// file adds a file of the host. Of its mode it keeps only the permission to execute it, because
// everything runs as root.
func (a *archive) file(name, from string) {
	if a.err != nil {
		return
	}
	f, err := os.Open(from)
	if err != nil {
		a.err = err
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.err = err
		return
	}
	mode := uint32(cpioFile | 0o644)
	if info.Mode()&0o111 != 0 {
		mode |= 0o111
	}
	a.dir(path.Dir(name))
	a.entry(name, mode, info.Size(), f)
}

// tree adds the files below a directory of the host for which keep returns true. The argument
// rel of keep is the path below the directory. If keep returns false for a directory, all its
// files are left out.
func (a *archive) tree(name, from string, keep func(rel string, d fs.DirEntry) bool) {
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(rel))
		switch {
		case rel != "." && !keep(rel, d):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			a.dir(to)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			a.symlink(to, target)
		case d.Type().IsRegular():
			a.file(to, p)
		}
		return a.err
	})
	if a.err == nil {
		a.err = err
	}
}

// close ends the archive. It returns the first error of all methods.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, 0, nil)
	if a.err != nil {
		return a.err
	}
	return a.w.Flush()
}

func (a *archive) entry(name string, mode uint32, size int64, r io.Reader) {
	a.header(entryName(name), mode, size, 0, 0)
	if a.err != nil || size == 0 {
		return
	}
	// If the file grows while it is read, the rest of the archive must not move.
	n, err := io.CopyN(a.w, r, size)
	a.pos += n
	if err != nil {
		a.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	a.pad()
}

// header writes the header of an entry: thirteen numbers of eight digits, and the name.
func (a *archive) header(name string, mode uint32, size int64, major, minor uint32) {
	if a.err != nil {
		return
	}
	if size >= 1<<32 {
		a.err = fmt.Errorf("%s: too large for cpio", name)
		return
	}
	a.ino++
	a.printf("070701")
	for _, v := range []uint32{
		a.ino, mode, 0, 0, 1, 0, uint32(size), // ino mode uid gid nlink mtime filesize
		0, 0, major, minor, uint32(len(name) + 1), 0, // devmajor devminor rdevmajor rdevminor namesize check
	} {
		a.printf("%08X", v)
	}
	a.printf("%s\x00", name)
	a.pad()
}

// pad writes zeros up to a multiple of four bytes.
func (a *archive) pad() {
	if n := a.pos & 3; n != 0 {
		a.printf("%s", "\x00\x00\x00"[:4-n])
	}
}

func (a *archive) printf(format string, args ...any) {
	if a.err != nil {
		return
	}
	n, err := fmt.Fprintf(a.w, format, args...)
	a.pos += int64(n)
	a.err = err
}

// entryName returns the name of a path in the archive, which is relative to the root.
func entryName(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
