package explain

import "testing"

// A packet with the address of one of several next hops takes that one.
func TestOwnNextHop(t *testing.T) {
	f := fibOf(t, `
link add eth0 index 2
link add eth1 index 3
address add 192.168.1.6/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default nexthop via 192.168.1.1 dev eth0 nexthop via 192.168.2.1 dev eth1
`)
	for text, want := range map[string]uint32{"198.51.100.7 from 192.168.1.6": 2, "198.51.100.7 from 192.168.2.2": 3} {
		p, err := ParsePacket(text)
		if err != nil {
			t.Fatal(err)
		}
		if d := f.Decide(&p); d.OIF != want || d.Candidates != nil {
			t.Errorf("%s: %+v, want the interface %d", text, d, want)
		}
	}
}
