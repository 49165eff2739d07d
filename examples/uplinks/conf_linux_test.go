package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/route"
)

// wayOut returns the interface and the gateway by which a packet leaves, or the error.
func (h *host) wayOut(q route.Query) string {
	h.Helper()
	r, err := route.Lookup(h.Context(), h.conn, q)
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return errno.Error()
	} else if err != nil {
		h.Fatal(err)
	}
	links, err := route.ListLinks(h.Context(), h.conn)
	if err != nil {
		h.Fatal(err)
	}
	name := links.Name(r.OIF)
	if r.Gateway.IsValid() {
		name += " " + r.Gateway.String()
	}
	return name
}

// query returns the lookup of a packet to the Internet. An empty source means none.
func query(source string, port uint16) route.Query {
	q := route.Query{Dst: addr("198.51.100.7")}
	if source != "" {
		q.Src = addr(source)
	}
	if port != 0 {
		q.IPProto, q.DPort = route.TCP, port
	}
	return q
}

// run -once installs the example files, and packets leave as the comments of the files say.
func TestConf(t *testing.T) {
	type packet struct {
		source string
		port   uint16
		want   string
	}
	own := []packet{{"192.168.1.2", 0, "eth0 192.168.1.1"}, {"192.168.2.2", 0, "eth1 192.168.2.1"}}
	for file, packets := range map[string][]packet{
		"../uplinks.conf": append(own, packet{"", 25, "eth1 192.168.2.1"}, packet{"", 443, "eth0 192.168.1.1"}),
		"vpn.conf":        own,
		"mail-and-web.conf": append(own, packet{"", 25, "eth1 192.168.2.1"}, packet{"", 587, "eth1 192.168.2.1"},
			packet{"", 80, "eth0 192.168.1.1"}, packet{"", 443, "eth0 192.168.1.1"}, packet{"", 22, "eth0 192.168.1.1"},
			packet{"192.168.1.2", 25, "eth0 192.168.1.1"}),
		"dhcp.conf":   own,
		"shared.conf": own,
	} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("conf", file))
			if err != nil {
				t.Fatal(err)
			}
			h := newHost(t, string(text))
			h.route("del", "default via 192.168.1.1 dev eth0")
			h.route("add", "default via 192.168.1.1 dev eth0 proto dhcp metric 100")
			h.route("add", "default via 192.168.2.1 dev eth1 proto dhcp metric 200")
			before := h.state()
			for _, p := range packets {
				if p.source != "" && p.source != "192.168.1.2" && h.wayOut(query(p.source, p.port)) == p.want {
					t.Errorf("without uplinks %+v goes that way as well", p)
				}
			}
			d := h.daemon("-once")
			d.ended(exitOK)
			h.run(exitOK, "status")
			for _, p := range packets {
				if got := h.wayOut(query(p.source, p.port)); got != p.want {
					t.Errorf("%+v goes by %s", p, got)
				}
			}
			if file == "shared.conf" {
				h.sharesOut()
			}
			h.run(exitOK, "down")
			h.unchanged(before)
		})
	}
	files, err := filepath.Glob("conf/*")
	if err != nil || len(files) != 6 { // two have tests of their own
		t.Errorf("conf has %q, %v: a file is not tried here", files, err)
	}
}

// sharesOut checks that the shared default route has both uplinks.
func (h *host) sharesOut() {
	h.Helper()
	seen := make(map[string]int)
	for i := range 64 {
		q := route.Query{Dst: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})}
		seen[h.wayOut(q)]++
	}
	if seen["eth0 192.168.1.1"] <= seen["eth1 192.168.2.1"] || seen["eth1 192.168.2.1"] == 0 || len(seen) != 2 {
		h.Errorf("64 destinations are shared out as %v", seen)
	}
}

// Packets to the network of a VPN leave by its tunnel.
func TestConfVPN(t *testing.T) {
	text, err := os.ReadFile("conf/vpn.conf")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, string(text))
	h.ns.Link("tun0", h.net, "clients") // in place of a real tunnel, which needs /dev/net/tun
	h.ns.Addr("tun0", "10.8.0.1/24")
	h.daemon("-once").ended(exitOK)
	client := route.Query{Dst: addr("10.8.0.6"), Src: addr("192.168.2.2")}
	if got := h.wayOut(client); got != "tun0" {
		t.Errorf("an answer to a client goes by %s", got)
	}
}
