package programs

import (
	"fmt"
	"testing"

	"github.com/policyroute/policyroute/route"
)

const (
	published = 8080 // the port of the server
	inside    = 80   // the port of the container
)

// dockerRules are the rules that docker makes for a published port, by TCP and UDP.
func dockerRules(f family) string {
	loopback := map[route.Family]string{route.IPv4: "127.0.0.0/8", route.IPv6: "::1/128"}[f.ip]
	text := fmt.Sprintf(`*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d %s -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s %s ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
`, loopback, f.subnet(f.bridge))
	for _, p := range []string{"tcp", "udp"} {
		text += fmt.Sprintf("-A DOCKER ! -i docker0 -p %s -m %s --dport %d -j DNAT --to-destination %s\n", p, p, published, join(f.container, inside))
	}
	text += `COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
`
	for _, p := range []string{"tcp", "udp"} {
		text += fmt.Sprintf("-A DOCKER -d %s ! -i docker0 -o docker0 -p %s -m %s --dport %d -j ACCEPT\n", f.container, p, p, inside)
	}
	return text + "COMMIT\n"
}

// nftRules are those of LXD and of hand-written rulesets.
func nftRules(f family) string {
	ip := map[route.Family]string{route.IPv4: "ip", route.IPv6: "ip6"}[f.ip]
	return fmt.Sprintf(`table inet published {
	chain prerouting {
		type nat hook prerouting priority dstnat
		fib daddr type local meta nfproto %[1]s meta l4proto { tcp, udp } th dport %[2]d dnat %[3]s to %[4]s
	}
	chain output {
		type nat hook output priority -100
		fib daddr type local meta nfproto %[1]s meta l4proto { tcp, udp } th dport %[2]d dnat %[3]s to %[4]s
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		%[3]s saddr %[5]s oifname != "docker0" masquerade
	}
}
`, "ipv"+f.version, published, ip, join(f.container, inside), f.subnet(f.bridge))
}

// A port of a container that is published on both uplinks, as docker does it with iptables.
func TestPublishedByDocker(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		restore := map[string]string{"4": "iptables-nft-restore", "6": "ip6tables-nft-restore"}[f.version]
		h := newHome(t, n.server, restore)
		h.run(restore, "--noflush", h.file("rules", dockerRules(f)))
		n.testPublished(f)
	})
}

// A port of a container that is published on both uplinks with nft.
func TestPublishedByNft(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		h := newHome(t, n.server, "nft")
		h.run("nft", "-f", h.file("rules", nftRules(f)))
		n.testPublished(f)
	})
}

// testPublished asks the published port from everywhere, with each reverse path filter, without
// the policy and with it. By router B the answers go astray without it; all others are answered.
func (n *network) testPublished(f family) {
	n.t.Helper()
	serveTCP(n.t, n.container, f, inside)
	serveWildcard(n.t, n.container, f, inside)
	networks := []string{"tcp" + f.version, "udp" + f.version}
	filters := []int{off, strict, loose}
	if f.ip == route.IPv6 {
		filters = filters[:1] // the kernel has none for IPv6
	}
	for _, filter := range filters {
		n.filterReversePaths(filter)
		for _, proto := range networks {
			n.wantPublished(f, proto, routerA)
			second := join(f.server[routerB], published)
			if filter == strict {
				n.wantRefused(proto, second)
			} else {
				n.wantAstray(proto, second, "hello")
			}
		}
		remove := n.install(forwarded)
		if filter == strict {
			// Without this the filter does not see the mark with which the question is
			// looked up, and drops it.
			n.server.Sysctl("net.ipv4.conf.all.src_valid_mark", "0")
			n.wantRefused(networks[0], join(f.server[routerB], published))
			n.filterReversePaths(filter)
		}
		for _, proto := range networks {
			n.wantPublished(f, proto, routerA, routerB)
		}
		remove()
	}
}

// wantPublished asks the port from the client by some routers, from the LAN, and from the server
// itself.
func (n *network) wantPublished(f family, proto string, routers ...int) {
	n.t.Helper()
	for _, r := range routers {
		n.wantAnsweredBy(r, proto, join(f.server[r], published))
	}
	for _, a := range []string{f.server[routerA], f.server[routerB], f.lanServer} {
		n.wantAnswered(n.lan, proto, join(a, published))
		n.wantAnswered(n.server, proto, join(a, published))
	}
}
