package reply_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/reply"
)

// WireGuard's requests: linux/wireguard.h and linux/genetlink.h.
const (
	ctrlID         = 0x10
	ctrlGetFamily  = 3
	ctrlFamilyID   = 1
	ctrlFamilyName = 2

	wgSetDevice  = 1
	wgIfname     = 2
	wgPrivateKey = 3
	wgListenPort = 6
	wgPeers      = 8

	wgPeerKey        = 1
	wgPeerEndpoint   = 4
	wgPeerAllowedIPs = 9

	wgAllowedFamily  = 1
	wgAllowedAddress = 2
	wgAllowedBits    = 3
)

const wireguardPort = 51820

// WireGuard in the kernel answers from the address that was asked, by itself. A policy for its
// port, or for all ports, does not hurt it.
func TestWireGuard(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			n, all := newNetwork(t)
			server, client := newKey(t), newKey(t)
			if !addWireGuard(n, n.Server, "10.9.0.1/24") || !addWireGuard(n, n.Net, "10.9.0.2/24") {
				t.Log("this kernel has no WireGuard")
				return
			}
			const echo = "10.9.0.1:7007"
			tabletest.Serve(t, n.Server, "tcp4", echo)
			setWireGuard(n, n.Server, server, wgPeer{key: client.PublicKey(), allowed: netip.MustParseAddr("10.9.0.2")})
			call := func(what string) {
				t.Helper()
				for i, a := range []string{f.A1, f.A2} {
					endpoint := netip.AddrPortFrom(netip.MustParseAddr(a), wireguardPort)
					peer := wgPeer{key: server.PublicKey(), endpoint: endpoint, allowed: netip.MustParseAddr("10.9.0.1")}
					right, wrong, ok := 0, 0, false
					// What is left of the call before can set the endpoint back.
					for k := 0; k < 50 && !ok; k++ {
						setWireGuard(n, n.Net, client, peer)
						right, wrong, ok = callWireGuard(n, endpoint, echo, i)
					}
					if !ok || right == 0 || wrong > 0 {
						t.Errorf("%s: %v; answers from %s: %d by its router, %d by the other one", what, ok, a, right, wrong)
					}
				}
			}
			call("without a policy")
			install(n, reply.Policy{UDP: []rule.Ports{rule.Port(wireguardPort)}}, all...)
			call("with a policy for its port")
			install(n, reply.Policy{UDP: []rule.Ports{reply.AllPorts()}, Forwarded: true}, all...)
			call("with a policy for all")
			remove(n)
			call("without a policy again")
		})
	}
}

// callWireGuard connects to an address through the tunnel. It returns how many packets from the
// endpoint came to the router before it and to the other one, and whether all that the client
// has sent went to the endpoint.
func callWireGuard(n *tabletest.Network, endpoint netip.AddrPort, to string, router int) (right, wrong int, ok bool) {
	n.T.Helper()
	taps := []*lab.Tap{n.G1, n.G2}
	for _, tap := range taps {
		tap.Reset()
	}
	tabletest.Connect(n.T, n.Net, "tcp4", "", to)
	answer := func(p lab.Packet) bool { return !p.Out && p.Proto == unix.IPPROTO_UDP && p.Src == endpoint }
	question := func(p lab.Packet) bool { return p.Out && p.Dst.Port() == wireguardPort && p.Dst != endpoint }
	return taps[router].Count(answer), taps[1-router].Count(answer), taps[0].Count(question)+taps[1].Count(question) == 0
}

func newKey(t *testing.T) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// addWireGuard adds the interface wg0 with an address, and reports whether the kernel can have
// one.
func addWireGuard(n *tabletest.Network, ns *lab.NS, addr string) bool {
	n.T.Helper()
	c, err := rtnetlink.Dial(ns.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	err = c.Link.New(&rtnetlink.LinkMessage{Attributes: &rtnetlink.LinkAttributes{
		Name: "wg0", Info: &rtnetlink.LinkInfo{Kind: "wireguard"},
	}})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return false
	}
	if err != nil {
		n.T.Fatal(err)
	}
	ns.Up("wg0")
	ns.Addr("wg0", addr)
	return true
}

// A wgPeer is the only peer of an interface.
type wgPeer struct {
	key      *ecdh.PublicKey
	endpoint netip.AddrPort // invalid: the peer calls
	allowed  netip.Addr
}

// setWireGuard sets the key, the port and the peer of wg0.
func setWireGuard(n *tabletest.Network, ns *lab.NS, key *ecdh.PrivateKey, peer wgPeer) {
	n.T.Helper()
	c, err := netlink.Dial(unix.NETLINK_GENERIC, ns.Config())
	if err != nil {
		n.T.Fatal(err)
	}
	defer c.Close()
	answer := request(n, c, ctrlID, ctrlGetFamily, netlink.Request, func(a *netlink.AttributeEncoder) {
		a.String(ctrlFamilyName, "wireguard")
	})
	var id uint16
	for _, m := range answer {
		d, err := netlink.NewAttributeDecoder(m.Data[4:])
		if err != nil {
			n.T.Fatal(err)
		}
		for d.Next() {
			if d.Type() == ctrlFamilyID {
				id = d.Uint16()
			}
		}
	}
	request(n, c, id, wgSetDevice, netlink.Request|netlink.Acknowledge, func(a *netlink.AttributeEncoder) {
		a.String(wgIfname, "wg0")
		a.Bytes(wgPrivateKey, key.Bytes())
		a.Uint16(wgListenPort, wireguardPort)
		a.Nested(wgPeers, func(a *netlink.AttributeEncoder) error {
			a.Nested(0, peer.encode)
			return nil
		})
	})
}

// encode adds the attributes of a peer.
func (p wgPeer) encode(a *netlink.AttributeEncoder) error {
	a.Bytes(wgPeerKey, p.key.Bytes())
	if p.endpoint.IsValid() {
		a.Bytes(wgPeerEndpoint, socketAddress(p.endpoint))
	}
	a.Nested(wgPeerAllowedIPs, func(a *netlink.AttributeEncoder) error {
		a.Nested(0, func(a *netlink.AttributeEncoder) error {
			a.Uint16(wgAllowedFamily, unix.AF_INET)
			a.Bytes(wgAllowedAddress, p.allowed.AsSlice())
			a.Uint8(wgAllowedBits, 32)
			return nil
		})
		return nil
	})
	return nil
}

// socketAddress returns a sockaddr_in or sockaddr_in6.
func socketAddress(a netip.AddrPort) []byte {
	port := []byte{byte(a.Port() >> 8), byte(a.Port())}
	if a.Addr().Is4() {
		b := append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET), port...)
		b = append(b, a.Addr().AsSlice()...)
		return append(b, make([]byte, 8)...)
	}
	b := append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), port...)
	b = append(b, make([]byte, 4)...) // flow label
	b = append(b, a.Addr().AsSlice()...)
	return append(b, make([]byte, 4)...) // scope
}

// request sends a request of a generic netlink family, and returns the answers.
func request(n *tabletest.Network, c *netlink.Conn, family uint16, command byte, flags netlink.HeaderFlags, attrs func(*netlink.AttributeEncoder)) []netlink.Message {
	n.T.Helper()
	a := netlink.NewAttributeEncoder()
	attrs(a)
	b, err := a.Encode()
	if err != nil {
		n.T.Fatal(err)
	}
	answer, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(family), Flags: flags},
		Data:   append([]byte{command, 1, 0, 0}, b...),
	})
	if err != nil {
		n.T.Fatal(err)
	}
	return answer
}
