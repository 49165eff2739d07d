package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/reply"
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

	remove := n.install(udpOf(port))
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
	n.install(udpOf(port))
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
		ufw := func(args ...string) func() { return func() { h.run("ufw", args...) } }
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

// The zone of the interfaces that have none: what firewalld lets in, and the port of a container
// that it publishes.
const publicZone = `<?xml version="1.0" encoding="utf-8"?>
<zone>
	<short>Public</short>
	<port port="%[1]d" protocol="udp"/>
	<rule family="ipv%[2]s"><forward-port port="%[3]d" protocol="tcp" to-port="%[4]d" to-addr="%[5]s"/></rule>
	<rule family="ipv%[2]s"><forward-port port="%[3]d" protocol="udp" to-port="%[4]d" to-addr="%[5]s"/></rule>
</zone>
`

// newFirewalld returns firewalld, which makes its rules with nftables. It lets a port in.
func (n *network) newFirewalld(f family, port int) firewall {
	n.t.Helper()
	h := newHome(n.t, n.server, "firewalld", "dbus-daemon")
	bus := filepath.Join(h.dir, "bus")
	h.env = []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + bus}
	h.run("sh", "-c", "mkdir -p etc && cp -r /etc/firewalld etc")
	h.file("etc/firewalld/zones/public.xml", fmt.Sprintf(publicZone, port, f.version, published, inside, f.container))
	h.start("dbus-daemon", "--nofork", "--config-file="+h.file("bus.conf", fmt.Sprintf(busConfig, bus)))
	h.wait("the bus", func() bool { _, err := os.Stat(bus); return err == nil })
	cmd := func(args ...string) func() { return func() { h.run("firewall-cmd", args...) } }
	var d *daemon
	return firewall{
		start: func() {
			d = h.start("firewalld", "--nofork", "--nopid")
			h.wait("firewalld runs", func() bool {
				_, err := h.try("firewall-cmd", "--state")
				return err == nil
			})
		},
		reload: []func(){cmd("--reload"), cmd("--complete-reload"), cmd("--add-port=80/tcp")},
		stop:   func() { d.stop() },
	}
}

// firewalld beside the policy of a UDP server.
func TestFirewalld(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5322
		n.testBeside(f, port, n.newFirewalld(f, port))
	})
}

// A port of a container that firewalld publishes on both uplinks. For IPv6 firewalld has a strict
// reverse path filter behind its translation of addresses. The filter looks the question up with
// its mark. So it drops those by router B, but with the policy it does not.
func TestPublishedByFirewalld(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		serveTCP(t, n.container, f, inside)
		serveWildcard(t, n.container, f, inside)
		w := n.newFirewalld(f, published+1)
		w.start()
		networks := []string{"tcp" + f.version, "udp" + f.version}
		for _, proto := range networks {
			n.wantAnsweredBy(routerA, proto, join(f.server[routerA], published))
			second := join(f.server[routerB], published)
			if f.ip == route.IPv6 {
				n.wantRefused(proto, second)
			} else {
				n.wantAstray(proto, second, "hello")
			}
		}
		n.install(forwarded)
		for i, reload := range []func(){func() {}, w.reload[1]} {
			reload()
			for _, proto := range networks {
				for r, a := range f.server {
					n.wantAnsweredBy(r, proto, join(a, published))
				}
			}
			if t.Failed() {
				t.Fatalf("after reload %d", i)
			}
		}
	})
}

// A ruleset that is loaded as Debian's nftables.service does: it begins with the deletion of all
// tables, and so of the policy's. Install brings the policy back, beside the new rules.
func TestFlushRuleset(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5323
		udp, second := "udp"+f.version, join(f.server[routerB], port)
		serveWildcard(t, n.server, f, port)
		h := newHome(t, n.server, "nft")
		file := h.file("nftables.conf", fmt.Sprintf(`flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop
		ct state established,related accept
		iif lo accept
		meta l4proto ipv6-icmp accept
		udp dport %d accept
	}
}
`, port))
		n.install(udpOf(port))
		n.wantAnsweredBy(routerB, udp, second)
		for range 2 {
			h.run("nft", "-f", file)
			n.wantAstray(udp, second, "hello")
			n.install(udpOf(port))
			n.wantAnsweredBy(routerA, udp, join(f.server[routerA], port))
			n.wantAnsweredBy(routerB, udp, second)
			if list := h.run("nft", "list", "tables"); !strings.Contains(list, "table inet filter") || !strings.Contains(list, "table inet "+reply.TableName) {
				t.Errorf("the tables are\n%s", list)
			}
		}
	})
}
