package explain

import (
	"testing"
)

const tutorialBefore = `
link add eth0 index 2
link add eth1 index 3
address add 192.168.1.6/24 dev eth0
address add 192.168.2.2/24 dev eth1
route add default via 192.168.1.1 dev eth0
`

const tutorialAfter = tutorialBefore + `
rule add from 192.168.2.2 lookup 20 pref 31000
rule add pref 0 lookup local
rule add pref 32766 lookup main
rule add pref 32767 lookup default
route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table 20
route add default via 192.168.2.1 dev eth1 src 192.168.2.2 table 20
`

func fibOf(t testing.TB, text string) *FIB {
	t.Helper()
	w, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return NewFIB(w)
}

func TestDiffTutorial(t *testing.T) {
	d, err := Diff(fibOf(t, tutorialBefore), fibOf(t, tutorialAfter))
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + d.String())
}
