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

// modules are the kernel modules that tests need, because the guest does not load modules on
// demand. A kernel can have any of them built in. Modules that add interfaces to every network
// namespace, such as IP tunnels, are left out: tests do not expect such interfaces.
var modules = []string{
	"af_packet", "tun",
	"veth", "dummy", "macvlan", "ipvlan", "vrf", "vxlan", "geneve", "bridge", "8021q",
	"mpls_router", "mpls_iptunnel", "xfrm_interface", "udp_diag", "tcp_diag",
	"nf_tables", "nft_ct", "nft_chain_nat", "nft_nat", "nft_masq", "nft_redir", "nft_fib_inet", "nft_socket",
	"nf_conntrack_netlink", "wireguard",
}

// A module is a kernel module with the names of the modules that it needs.
type module struct {
	name    string
	content []byte
	depends []string
}

// loadOrder returns the wanted modules and the modules that they need, each after the modules
// that it needs. It leaves out modules for which find returns nil, because they are built in.
//
// The order is that of modules.dep(5). The package of a kernel does not contain that file: its
// installation makes it from the same values in the modules.
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

// newFinder returns a function for loadOrder that finds the modules below dir. A module that
// does not exist and is not built in is an error. Otherwise tests that need it would fail one
// by one, or test less.
func newFinder(ctx context.Context, dir string) (func(name string) (*module, error), error) {
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

// moduleName returns the name of the module in a file. A hyphen in the name of the file is an
// underscore in the name of the module.
func moduleName(path string) (string, bool) {
	name, rest, ok := strings.Cut(filepath.Base(path), ".ko")
	if !ok || rest != "" && rest[0] != '.' {
		return "", false
	}
	return strings.ReplaceAll(name, "-", "_"), true
}

// dependencies returns the names of the modules that a module needs. They are in its section
// of key=value strings.
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

// decompress reads a file that may be compressed, like the modules of newer Debian kernels. The
// standard library does not have the formats.
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
