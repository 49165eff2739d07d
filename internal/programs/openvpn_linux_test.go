package programs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/reply"
)

// An identity is a certificate that signs itself, with its key and its fingerprint.
type identity struct {
	cert, key   string // PEM
	fingerprint string
}

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var fingerprint []string
	for _, b := range sha256.Sum256(der) {
		fingerprint = append(fingerprint, fmt.Sprintf("%02X", b))
	}
	return identity{
		cert:        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
		fingerprint: strings.Join(fingerprint, ":"),
	}
}

// What both ends of the VPN have in their configuration.
const openvpnCommon = `dev tun
disable-dco
verb 4
<cert>
%s</cert>
<key>
%s</key>
<peer-fingerprint>
%s
</peer-fingerprint>
`

// OpenVPN by UDP, without multihome. The client refuses answers from another address than the
// one that it has called. It has a connection through the second address only with the policy.
func TestOpenVPN(t *testing.T) {
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err == nil {
		f.Close()
	} else if errors.Is(err, fs.ErrPermission) {
		t.Logf("OpenVPN needs /dev/net/tun, which this user may not open: %v", err)
		return
	} else {
		t.Fatal(err)
	}
	const (
		port   = 1194
		echo   = 7007
		tunnel = "10.9.0.1"
	)
	forEachFamily(t, func(t *testing.T, n *network, f family) {
		server, client := newIdentity(t, "server"), newIdentity(t, "client")
		here := newHome(t, n.server, "openvpn")
		d := here.start("openvpn", "--config", here.file("server.conf", fmt.Sprintf(openvpnCommon+`proto udp%s
port %d
server 10.9.0.0 255.255.255.0
topology subnet
dh none
`, server.cert, server.key, client.fingerprint, f.version, port)))
		d.wantOutput("Initialization Sequence Completed")
		serveTCP(t, n.server, families[0], echo) // the tunnel is IPv4
		call := func(router int) *daemon {
			h := newHome(t, n.client, "openvpn")
			return h.start("openvpn", "--config", h.file("client.conf", fmt.Sprintf(openvpnCommon+`client
proto udp%s
remote %s %d
nobind
`, client.cert, client.key, server.fingerprint, f.version, f.server[router], port)))
		}
		connects := func(router int) {
			t.Helper()
			c := call(router)
			c.wantOutput("Initialization Sequence Completed")
			n.wantAnswered(n.client, "tcp4", join(tunnel, echo))
			c.stop()
		}

		connects(routerA)
		c := call(routerB)
		c.wantOutput("rejected from") // the answer came from the first address
		if strings.Contains(c.output(), "Initialization Sequence Completed") {
			t.Errorf("control: OpenVPN has a connection without the policy:\n%s", c.output())
		}
		c.stop()

		remove := n.install(udpOf(port))
		connects(routerA)
		connects(routerB)
		n.install(reply.Policy{UDP: []rule.Ports{reply.AllPorts()}, Forwarded: true})
		connects(routerA)
		connects(routerB)
		remove()
		c = call(routerB)
		c.wantOutput("rejected from")
	})
}
