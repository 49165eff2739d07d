package explain_test

import (
	"testing"

	"github.com/policyroute/policyroute/table/explain"
)

const tutorial = `
rule add from 192.168.2.2 lookup 20 pref 1000
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
link add eth0 index 2
`

func parse(t testing.TB, text string) explain.World {
	t.Helper()
	w, err := explain.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func packet(t testing.TB, text string) explain.Packet {
	t.Helper()
	p, err := explain.ParsePacket(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFirst(t *testing.T) {
	w := parse(t, tutorial)
	t.Logf("%s", w)
	back := parse(t, w.String())
	if !back.Equal(w) {
		t.Errorf("read back:\n%s", back)
	}
	f := explain.NewFIB(w)
	for _, text := range []string{"198.51.100.7", "198.51.100.7 from 192.168.2.2", "192.168.2.2", "192.168.2.9 from 192.168.1.2"} {
		e := f.Explain(packet(t, text))
		t.Logf("%s:\n%+v\n%+v", text, e.Steps, e.Decision)
	}
}

func BenchmarkDecide(b *testing.B) {
	f := explain.NewFIB(parse(b, tutorial))
	p := packet(b, "198.51.100.7 from 192.168.2.2")
	b.ReportAllocs()
	for b.Loop() {
		f.Decide(&p)
	}
}
