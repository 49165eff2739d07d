package programs

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// A query of the name host.test, and what the tests look at in an answer.
const (
	queryID  = 0x1234
	hostName = "\x04host\x04test\x00"
	hostAddr = "\xc0\x00\x02\x01" // 192.0.2.1
)

// query returns the query for the address, as it is on the wire (RFC 1035).
func query() string {
	b := binary.BigEndian.AppendUint16(nil, queryID)
	b = append(b, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0) // recursion desired, one question
	b = append(b, hostName...)
	return string(append(b, 0, 1, 0, 1)) // A IN
}

// checkAnswer returns an error unless a text is the answer with the address.
func checkAnswer(text string) error {
	if len(text) < 12 || binary.BigEndian.Uint16([]byte(text)) != queryID || text[2]&0x80 == 0 {
		return fmt.Errorf("not an answer: %x", text)
	}
	if code := text[3] & 0xf; code != 0 || !strings.Contains(text[12:], hostAddr) {
		return fmt.Errorf("code %d, and not the address: %x", code, text)
	}
	return nil
}

// wantName fails the test unless the client gets an answer to a query from the address that it
// asked, by the router before that address.
func (n *network) wantName(router int, udp, to string) {
	n.t.Helper()
	a := n.ask(n.client, udp, to, query(), patience)
	if a.err == nil {
		a.err = checkAnswer(a.text)
	}
	if a.err != nil {
		n.t.Errorf("query to %s: %v", to, a.err)
		return
	}
	if right, wrong := n.left(router, a.port), n.count(1-router, a.port); right != 1 || wrong != 0 {
		n.t.Errorf("answer of %s: %d packets by its router, %d by the other one", to, right, wrong)
	}
}

// wantNames is wantName for both addresses of the server.
func (n *network) wantNames(f family, port int) {
	n.t.Helper()
	for i, a := range f.server {
		n.wantName(i, "udp"+f.version, join(a, port))
	}
}

// unbound on all addresses answers from the address that the route has.
func TestUnbound(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5311
		udp, second := "udp"+f.version, join(f.server[routerB], port)
		h := newHome(t, n.server, "unbound")
		d := h.start("unbound", "-d", "-p", "-c", h.file("unbound.conf", fmt.Sprintf(`server:
	interface: 0.0.0.0@%d
	interface: ::0@%d
	interface-automatic: no
	access-control: 0.0.0.0/0 allow
	access-control: ::0/0 allow
	module-config: "iterator"
	local-zone: "test." static
	local-data: "host.test. A 192.0.2.1"
	do-daemonize: no
	use-syslog: no
	verbosity: 1
	num-threads: 1
	chroot: ""
	username: ""
	directory: ""
`, port, port)))
		d.wantOutput("start of service")
		n.wantName(routerA, udp, join(f.server[routerA], port))
		n.wantAstray(udp, second, query())
		remove := n.install(udpOf(port))
		n.wantNames(f, port)
		remove()
		n.wantAstray(udp, second, query())
	})
}

// dnsmasq on all addresses uses IP_PKTINFO: it needs no policy, and one does not hurt it.
func TestDnsmasq(t *testing.T) {
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		const port = 5312
		h := newHome(t, n.server, "dnsmasq")
		d := h.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
			"--pid-file=", "--user=", "--group=", "--log-facility=-", fmt.Sprintf("--port=%d", port), "--address=/host.test/192.0.2.1")
		d.wantOutput("started")
		n.wantNames(f, port)
		remove := n.install(udpOf(port))
		n.wantNames(f, port)
		remove()
		n.wantNames(f, port)
	})
}
