package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLoadOrder(t *testing.T) {
	depends := map[string][]string{
		"bridge":        {"stp", "llc"},
		"stp":           {"llc"},
		"llc":           nil,
		"vxlan":         {"ip6_udp_tunnel", "udp_tunnel"},
		"udp_tunnel":    nil,
		"mpls_iptunnel": {"mpls_router"},
		"mpls_router":   {"ip_tunnel"},
		"loop_a":        {"loop_b"}, // a cycle, which no kernel has, must not hang
		"loop_b":        {"loop_a"},
	}
	find := func(name string) (*module, error) {
		d, ok := depends[name]
		if !ok {
			return nil, nil // built in
		}
		return &module{name: name, depends: d}, nil
	}
	order, err := loadOrder([]string{"bridge", "af_packet", "vxlan", "mpls_iptunnel", "llc", "loop_a"}, find)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range order {
		names = append(names, m.name)
	}
	want := strings.Fields("llc stp bridge udp_tunnel vxlan mpls_router mpls_iptunnel loop_b loop_a")
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}

	broken := errors.New("broken")
	_, err = loadOrder([]string{"x"}, func(string) (*module, error) { return nil, broken })
	if err != broken {
		t.Errorf("got %v", err)
	}
}

func TestModuleName(t *testing.T) {
	for path, want := range map[string]string{
		"net/bridge/bridge.ko":        "bridge",
		"net/ipv6/ip6-tunnel.ko.xz":   "ip6_tunnel",
		"drivers/net/veth.ko.zst":     "veth",
		"modules.builtin":             "",
		"drivers/net/vxlan":           "",
		"drivers/net/x.komodo/readme": "",
		"x.kox":                       "",
	} {
		name, ok := moduleName(path)
		if name != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", path, name, ok)
		}
	}
}

// The section is as in bridge.ko and dummy.ko of Debian's 6.1.
func TestParseDepends(t *testing.T) {
	for info, want := range map[string][]string{
		"alias=rtnl-link-bridge\x00license=GPL\x00depends=stp,llc\x00retpoline=Y\x00": {"stp", "llc"},
		"license=GPL\x00depends=\x00intree=Y\x00name=dummy\x00":                       nil,
		"depends=ip6-udp-tunnel\x00":                                                  {"ip6_udp_tunnel"},
		"":                                                                            nil,
	} {
		if got := parseDepends([]byte(info)); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", info, got, want)
		}
	}
}

// A file that is not a module is an error with the name of the file. So is a module that does
// not exist and is not built in.
func TestFinder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "veth.ko"), []byte("no ELF"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := []byte("kernel/drivers/net/dummy.ko\nkernel/net/802/stp.ko\n")
	if err := os.WriteFile(filepath.Join(dir, "modules.builtin"), list, 0o644); err != nil {
		t.Fatal(err)
	}
	find, err := newFinder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := find("dummy"); m != nil || err != nil {
		t.Errorf("dummy: got %v, %v", m, err)
	}
	if _, err := find("vrf"); err == nil || !strings.HasSuffix(err.Error(), ": no module vrf") {
		t.Errorf("vrf: got %v", err)
	}
	if _, err := find("veth"); err == nil || !strings.Contains(err.Error(), "veth.ko") {
		t.Errorf("veth: got %v", err)
	}
	// An ELF file without the section: this test.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := decompress(context.Background(), self)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := dependencies(content); err == nil {
		t.Errorf("this program depends on %q", d)
	}
}
