package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// modules are those that tests may need: nothing in the guest loads one when it
// is asked for. The kernel may have any of them built in. Those that put
// interfaces of their own into every network namespace, as IP tunnels do, are
// left out: tests would meet interfaces that they did not make.
var modules = []string{
	"af_packet", "tun",
	"veth", "dummy", "macvlan", "ipvlan", "vrf", "vxlan", "geneve", "bridge", "8021q",
	"mpls_router", "mpls_iptunnel", "xfrm_interface", "udp_diag",
}

// module is a kernel module: what it is called, what it is made of, and the
// names of those it needs.
type module struct {
	name    string
	content []byte
	depends []string
}

// loadOrder returns the wanted modules and those that they need, each after
// those it needs. It leaves out what find returns nil for: that is built in.
//
// The order is that of modules.dep(5), which the kernel's package has not: it
// is made where the package is installed, from what the modules say themselves.
func loadOrder(wanted []string, find func(name string) (*module, error)) ([]*module, error) {
	var order []*module
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		m, err := find(name)
		if err != nil || m == nil {
			return err
		}
		for _, d := range m.depends {
			if err := visit(d); err != nil {
				return err
			}
		}
		order = append(order, m)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// finder returns the function that loadOrder needs, for the modules below dir.
// What is neither there nor built in is an error: tests that need it would do
// with less, or fail one by one.
func finder(ctx context.Context, dir string) (func(name string) (*module, error), error) {
	paths := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if name, ok := moduleName(p); ok {
			paths[name] = p
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	builtin := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		if name, ok := moduleName(strings.TrimSpace(line)); ok {
			builtin[name] = true
		}
	}
	return func(name string) (*module, error) {
		p := paths[name]
		if p == "" && builtin[name] {
			return nil, nil
		}
		if p == "" {
			return nil, fmt.Errorf("%s: no module %s", dir, name)
		}
		content, err := decompress(ctx, p)
		if err != nil {
			return nil, err
		}
		depends, err := dependencies(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		return &module{name: name, content: content, depends: depends}, nil
	}, nil
}

// moduleName returns the name of the module in a file. Where a file has a
// hyphen, the name has an underscore.
func moduleName(path string) (string, bool) {
	name, rest, ok := strings.Cut(filepath.Base(path), ".ko")
	if !ok || rest != "" && rest[0] != '.' {
		return "", false
	}
	return strings.ReplaceAll(name, "-", "_"), true
}

// dependencies reads the names of the modules that a module needs, from its
// section of key=value strings.
func dependencies(content []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return parseDepends(info), nil
}

func parseDepends(modinfo []byte) []string {
	for entry := range strings.SplitSeq(string(modinfo), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ",")
		}
	}
	return nil
}

// decompress reads a file that may be compressed, as newer Debian kernels'
// modules are. The standard library has neither of the formats.
func decompress(ctx context.Context, path string) ([]byte, error) {
	var tool string
	switch filepath.Ext(path) {
	case ".xz":
		tool = "xz"
	case ".zst":
		tool = "zstd"
	default:
		return os.ReadFile(path)
	}
	b, err := exec.CommandContext(ctx, tool, "-dc", "--", path).Output()
	if err != nil {
		return nil, fmt.Errorf("%s -dc %s: %w", tool, path, err)
	}
	return b, nil
}
