package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A debian is a release of Debian, and the series of the kernel that it is tested with.
type debian struct {
	codename string
	version  string
	series   string
}

var debians = []debian{
	{"bookworm", "12", "6.1"},
	{"trixie", "13", "6.12"},
}

// findDebian returns the release with a codename.
func findDebian(codename string) (debian, error) {
	var known []string
	for _, d := range debians {
		if d.codename == codename {
			return d, nil
		}
		known = append(known, d.codename)
	}
	return debian{}, fmt.Errorf("no release %q, but %s", codename, strings.Join(known, " and "))
}

// rootPackages are the packages of the root file system, with those that they need and those
// that every Debian system has: systemd with networkd, and dnsmasq as the DHCP server and
// router of the providers. systemd needs udev to configure interfaces.
const rootPackages = "systemd,systemd-sysv,udev,iproute2,dnsmasq-base"

// leftOut are the files that the tests do not need. dpkg does not unpack them.
var leftOut = []string{
	"/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*",
	"/usr/lib/udev/hwdb.d/*", "/lib/udev/hwdb.d/*", "/usr/lib/x86_64-linux-gnu/gconv/*",
}

// root returns the path of a tar file with the root file system of a release. It makes the
// file if the cache does not have it.
func (c *cache) root(ctx context.Context, d debian) (string, error) {
	file := filepath.Join(c.dir, "debian-"+d.codename+".tar")
	if _, err := os.Stat(file); err == nil && !c.update {
		return file, nil
	}
	mirror, err := mirror(ctx)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(c.partialDir(), 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(c.partialDir())
	partial := filepath.Join(c.partialDir(), "root.tar")
	args := []string{
		"--quiet", "--variant=essential", "--architectures=amd64", "--include=" + rootPackages,
		"--keyring=" + keyring, `--aptopt=APT::Install-Recommends "false"`,
		// Programs are below /usr, as on every installed system of these releases.
		"--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
	}
	for _, pattern := range leftOut {
		args = append(args, "--dpkgopt=path-exclude="+pattern)
	}
	fmt.Fprintf(os.Stderr, "vmtest: making a root file system of Debian %s\n", d.version)
	if _, err := output(ctx, "", "mmdebstrap", append(args, d.codename, partial, mirror)...); err != nil {
		return "", err
	}
	return file, os.Rename(partial, file)
}

// mirror returns the address of the archive that the host uses.
func mirror(ctx context.Context) (string, error) {
	targets, err := output(ctx, "", "apt-get", "indextargets",
		"--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	sources, err := sourcesFor(targets)
	if err != nil {
		return "", err
	}
	for word := range strings.FieldsSeq(sources) { // the suite of a release comes first
		if strings.Contains(word, "://") || strings.HasPrefix(word, "mirror+") {
			return word, nil
		}
	}
	return "", errors.New("no address in " + sources)
}

// tar adds the files of a tar file, without devices, which devtmpfs has. It returns their
// names.
func (a *archive) tar(name string) (names []string) {
	if a.err != nil {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		a.err = err
		return nil
	}
	defer f.Close()
	r := tar.NewReader(f)
	for a.err == nil {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			a.err = fmt.Errorf("%s: %w", name, err)
			break
		}
		a.tarEntry(h, r)
		names = append(names, entryName(h.Name))
	}
	return names
}

func (a *archive) tarEntry(h *tar.Header, content io.Reader) {
	name := entryName(h.Name)
	mode := uint32(h.Mode) & 0o7777
	if name != "" && h.Typeflag != tar.TypeDir {
		a.dir(path.Dir(name))
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if !a.dirs[name] {
			a.dirs[name] = true
			a.entry(name, cpioDir|mode, 0, nil)
		}
	case tar.TypeReg:
		a.entry(name, cpioFile|mode, h.Size, content)
	case tar.TypeSymlink:
		a.entry(name, cpioSymlink|0o777, int64(len(h.Linkname)), strings.NewReader(h.Linkname))
	case tar.TypeLink: // cpio has hard links, but a symbolic one does here
		a.symlink(name, "/"+entryName(h.Linkname))
	}
}
