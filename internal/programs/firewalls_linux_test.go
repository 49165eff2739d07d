package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A firewall is started beside the policy. Its methods are the commands that change its rules.
type firewall struct {
	start  func()
	reload []func() // each makes all rules again in its own way
	stop   func()
}

// testBeside tests the policy of a UDP server beside a firewall that lets its port in:
// whichever of the two comes first, and whatever the firewall does.
func (n *network) testBeside(f family, port int, w firewall) {
	n.t.Helper()
	closed := port + 1000
	serveWildcard(n.t, n.server, f, port)
	serveWildcard(n.t, n.server, f, closed)
	udp := "udp" + f.version
	both := func(when string) {
		n.t.Helper()
		for i, a := range f.server {
			n.wantAnsweredBy(i, udp, join(a, port))
		}
		if n.t.Failed() {
			n.t.Fatalf("when: %s", when)
		}
	}
	p := policy{udp: []int{port}}

	remove := n.install(p)
	both("before the firewall")
	n.wantAnswered(n.client, udp, join(f.server[routerA], closed))
	w.start()
	both("after its start")
	n.wantRefused(udp, join(f.server[routerA], closed)) // the firewall is in effect
	for i, reload := range w.reload {
		reload()
		both(fmt.Sprintf("after reload %d", i))
	}
	remove()
	n.wantAnsweredBy(routerA, udp, join(f.server[routerA], port))
	n.wantAstray(udp, join(f.server[routerB], port), "hello")
	n.install(p)
	both("installed beside the firewall")
	w.stop()
	both("after its end")
}

// ufw, which makes its rules with iptables.
func TestUFW(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5321
		h := newHome(t, n.server, "ufw")
		h.run("sh", "-c", `mkdir -p etc/ufw/applications.d &&
			cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/*.init /usr/share/ufw/ufw.conf /etc/ufw/sysctl.conf etc/ufw`)
		h.run("ufw", "allow", fmt.Sprintf("%d/udp", port))
		ufw := func(args ...string) func() { return func() { t.Log(h.run("ufw", args...)) } }
		n.testBeside(f, port, firewall{
			start:  ufw("--force", "enable"),
			reload: []func(){ufw("reload"), ufw("allow", "80/tcp")},
			stop:   ufw("disable"),
		})
	})
}

// A bus for firewalld and its command, as of the system but for who may use it.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
	"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
	<type>system</type>
	<listen>unix:path=%s</listen>
	<auth>EXTERNAL</auth>
	<policy context="default">
		<allow send_destination="*" eavesdrop="true"/>
		<allow eavesdrop="true"/>
		<allow own="*"/>
	</policy>
</busconfig>
`

// The zone of the interfaces that have none: what firewalld lets in.
const publicZone = `<?xml version="1.0" encoding="utf-8"?>
<zone>
	<short>Public</short>
	<port port="%d" protocol="udp"/>
</zone>
`

// firewalld, which makes its rules with nftables.
func TestFirewalld(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5322
		h := newHome(t, n.server, "firewalld", "dbus-daemon")
		bus := filepath.Join(h.dir, "bus")
		h.env = []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + bus}
		h.run("sh", "-c", "mkdir -p etc && cp -r /etc/firewalld etc")
		h.file("etc/firewalld/zones/public.xml", fmt.Sprintf(publicZone, port))
		h.start("dbus-daemon", "--nofork", "--config-file="+h.file("bus.conf", fmt.Sprintf(busConfig, bus)))
		h.wait("the bus", func() bool { _, err := os.Stat(bus); return err == nil })
		var d *daemon
		cmd := func(args ...string) func() { return func() { t.Log(h.run("firewall-cmd", args...)) } }
		n.testBeside(f, port, firewall{
			start: func() {
				d = h.start("firewalld", "--nofork", "--nopid")
				h.wait("firewalld runs", func() bool {
					_, err := h.try("firewall-cmd", "--state")
					return err == nil
				})
			},
			reload: []func(){cmd("--reload"), cmd("--complete-reload"), cmd("--add-port=80/tcp")},
			stop:   func() { d.stop() },
		})
	})
}
