//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A provider is a router in a network namespace of its own, with the Internet behind it.
type provider struct {
	name   string // of the namespace
	dev    string // the interface of the host
	prefix [2]netip.Prefix
	tap    tap
}

// The addresses of the Internet, which each router has.
var internet = [2]netip.Addr{netip.MustParseAddr("198.51.100.10"), netip.MustParseAddr("2001:db8:99::10")}

var providers = []*provider{newProvider(1), newProvider(2)}

func newProvider(n int) *provider {
	return &provider{
		name: fmt.Sprintf("provider%d", n), dev: fmt.Sprintf("eth%d", n-1),
		prefix: [2]netip.Prefix{
			netip.MustParsePrefix(fmt.Sprintf("192.168.%d.0/24", n)),
			netip.MustParsePrefix(fmt.Sprintf("2001:db8:%d::/64", n)),
		},
	}
}

// connect makes the namespace, and a cable from the host to the router.
func (p *provider) connect() error {
	v4, v6 := p.prefix[0], p.prefix[1]
	for line := range strings.Lines(fmt.Sprintf(`netns add %[1]s
link add %[2]s type veth peer name lan netns %[1]s
-n %[1]s link set lo up
-n %[1]s addr add %[3]s dev lo
-n %[1]s addr add %[4]s dev lo nodad
-n %[1]s addr add %[5]s/24 dev lan
-n %[1]s addr add %[6]s/64 dev lan nodad
`, p.name, p.dev, internet[0], internet[1], v4.Addr().Next(), v6.Addr().Next())) {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w\n%s", strings.TrimSpace(line), err, out)
		}
	}
	return p.do(func() error {
		// A router keeps its addresses when a cable is out.
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/lan/keep_addr_on_down", []byte("1"), 0); err != nil {
			return err
		}
		return p.tap.open(p)
	})
}

// cable plugs the cable in, or pulls it out.
func (p *provider) cable(state string) error {
	if out, err := exec.Command("ip", "-n", p.name, "link", "set", "lan", state).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, err, out)
	}
	return nil
}

// serve starts the DHCP server of the provider, which also sends advertisements.
func (p *provider) serve() error {
	v4, v6 := p.prefix[0].Addr(), p.prefix[1].Addr()
	base := strings.TrimSuffix(v4.String(), ".0")
	cmd := exec.Command("ip", "netns", "exec", p.name, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
		"--port=0", "--interface=lan", "--bind-interfaces", "--user=root", "--pid-file=", "--dhcp-authoritative",
		"--dhcp-leasefile=/run/"+p.name+".leases", "--dhcp-range="+base+".100,"+base+".120,255.255.255.0,10m",
		"--dhcp-option=3,"+base+".1", "--enable-ra", "--ra-param=lan,10,600", "--dhcp-range="+v6.String()+",ra-only,64")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(os.Stderr, "dnsmasq of %s: %v\n%s", p.name, err, &out)
		}
	}()
	return nil
}

// do calls f in the namespace of the provider.
func (p *provider) do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		ns, err := os.Open("/run/netns/" + p.name)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
