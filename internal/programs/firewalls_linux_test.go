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

// A firewall that is started beside a policy lets in one port of the server.
type firewall struct {
	port   int
	start  func()
	reload []func() // each makes all rules again in its own way
	stop   func()

	// publishes says that the firewall also publishes the port of the container.
	publishes bool
}

// testFirewall tests a policy beside a firewall: whichever of the two comes first, and whatever
// the firewall does.
func (n *network) testFirewall(w firewall) {
	n.t.Helper()
	closed := w.port + 1000
	for _, f := range families {
		serveWildcard(n.t, n.server, f, w.port)
		serveWildcard(n.t, n.server, f, closed)
		serveTCP(n.t, n.container, f, inside)
		serveWildcard(n.t, n.container, f, inside)
	}
	p := udpOf(w.port)
	p.Forwarded = w.publishes

	remove := n.install(p)
	n.wantServed(w, "before the firewall", false)
	for _, f := range families {
		n.wantAnswered(n.client, "udp"+f.version, join(f.server[routerA], closed))
	}
	w.start()
	n.wantServed(w, "after its start", w.publishes)
	for _, f := range families {
		n.wantRefused("udp"+f.version, join(f.server[routerA], closed)) // the firewall is in effect
	}
	for i, reload := range w.reload {
		reload()
		n.wantServed(w, fmt.Sprintf("after reload %d", i), w.publishes)
	}
	remove()
	for _, f := range families {
		n.wantUnserved(f, w)
	}
	n.install(p)
	n.wantServed(w, "installed beside the firewall", w.publishes)
	w.stop()
	n.wantServed(w, "after its end", false)
}

// wantServed fails the test unless the port of the server, and the published one, are answered by
// each router.
func (n *network) wantServed(w firewall, when string, publishes bool) {
	n.t.Helper()
	for _, f := range families {
		for i, a := range f.server {
			n.wantAnsweredBy(i, "udp"+f.version, join(a, w.port))
			if publishes {
				n.wantAnsweredBy(i, "udp"+f.version, join(a, published))
				n.wantAnsweredBy(i, "tcp"+f.version, join(a, published))
			}
		}
	}
	if n.t.Failed() {
		n.t.Fatalf("when: %s", when)
	}
}

// wantUnserved is the control without the policy: what is asked by router B has no answer.
func (n *network) wantUnserved(f family, w firewall) {
	n.t.Helper()
	udp, tcp := "udp"+f.version, "tcp"+f.version
	second := join(f.server[routerB], published)
	n.wantAnsweredBy(routerA, udp, join(f.server[routerA], w.port))
	n.wantAstray(udp, join(f.server[routerB], w.port), "hello")
	switch {
	case !w.publishes:
	case f.ip == route.IPv6:
		// firewalld has a strict reverse path filter for IPv6, behind its translation of
		// addresses. With the policy it finds the mark of the question. Without the policy
		// it drops the question.
		n.wantRefused(udp, second)
		n.wantRefused(tcp, second)
	default:
		n.wantAstray(udp, second, "hello")
		n.wantAstray(tcp, second, "hello")
	}
}

// ufw, which makes its rules with iptables.
func TestUFW(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	const port = 5321
	h := newHome(t, n.server, "ufw")
	h.run("sh", "-c", `mkdir -p etc/ufw/applications.d &&
		cp /usr/share/ufw/iptables/*.rules /usr/share/ufw/*.init /usr/share/ufw/ufw.conf /etc/ufw/sysctl.conf etc/ufw`)
	h.run("ufw", "allow", fmt.Sprintf("%d/udp", port))
	ufw := func(args ...string) func() { return func() { h.run("ufw", args...) } }
	n.testFirewall(firewall{
		port:   port,
		start:  ufw("--force", "enable"),
		reload: []func(){ufw("reload"), ufw("allow", "80/tcp")},
		stop:   ufw("disable"),
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

// What firewalld lets in by interfaces that it does not know otherwise: a port of the server, and
// one of the container that it publishes.
func publicZone(port int) string {
	zone := `<?xml version="1.0" encoding="utf-8"?>` + "\n<zone>\n\t<short>Public</short>\n"
	zone += fmt.Sprintf("\t<port port=\"%d\" protocol=\"udp\"/>\n", port)
	for _, f := range families {
		for _, proto := range []string{"tcp", "udp"} {
			zone += fmt.Sprintf("\t<rule family=\"ipv%s\"><forward-port port=\"%d\" protocol=\"%s\" to-port=\"%d\" to-addr=\"%s\"/></rule>\n",
				f.version, published, proto, inside, f.container)
		}
	}
	return zone + "</zone>\n"
}

// firewalld, which makes its rules with nftables.
func TestFirewalld(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	const port = 5322
	h := newHome(t, n.server, "firewalld", "dbus-daemon")
	bus := filepath.Join(h.dir, "bus")
	h.env = []string{"DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + bus}
	h.run("sh", "-c", "mkdir -p etc && cp -r /etc/firewalld etc")
	h.file("etc/firewalld/zones/public.xml", publicZone(port))
	h.start("dbus-daemon", "--nofork", "--config-file="+h.file("bus.conf", fmt.Sprintf(busConfig, bus)))
	h.wait("the bus", func() bool { _, err := os.Stat(bus); return err == nil })
	cmd := func(args ...string) func() { return func() { h.run("firewall-cmd", args...) } }
	var d *daemon
	n.testFirewall(firewall{
		port: port,
		start: func() {
			d = h.start("firewalld", "--nofork", "--nopid")
			h.wait("firewalld runs", func() bool {
				_, err := h.try("firewall-cmd", "--state")
				return err == nil
			})
		},
		reload:    []func(){cmd("--reload"), cmd("--complete-reload"), cmd("--add-port=80/tcp")},
		stop:      func() { d.stop() },
		publishes: true,
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
