package main

import (
	"bytes"
	"strings"
	"testing"
)

// The picture of a host that is a file, on every system, in each form.
func TestPictureWorld(t *testing.T) {
	world := writeTemp(t, "world", tutorial)
	expectRun(t, `IPv4
○     0  from all ─────────▶ local                                      no route
         └ 127.0.0.0/8, 127.0.0.1, 192.168.1.2, 192.168.2.2 ─────────▶ this host
●  1000  from 192.168.2.2 ━▶ 20
         └ default ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▶ 192.168.2.1 ━▶ eth1
  32766  from all ─────────▶ main
         ├ 192.168.1.0/24 ───────────────────────────────────────────▶ eth0
         ├ 192.168.2.0/24 ───────────────────────────────────────────▶ eth1
         └ default ───────────────────────────────────▶ 192.168.1.1 ─▶ eth0
  32767  from all ─────────▶ default
198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1
`, "", exitOK, "-world", world, "picture", "198.51.100.7", "from", "192.168.2.2")
	for form, want := range map[string]string{"-dot": "digraph picture {", "-mermaid": "flowchart LR", "-svg": "<svg "} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), []string{"-world", world, "picture", form}, &stdout, &stderr); status != exitOK || stderr.Len() > 0 ||
			!strings.HasPrefix(stdout.String(), want) || !strings.Contains(stdout.String(), "192.168.2.1") {
			t.Errorf("picture %s: exit %d\n%s%s", form, status, &stdout, &stderr)
		}
	}
}

// Faults of the command line and of the file.
func TestPictureFaults(t *testing.T) {
	world := writeTemp(t, "world", tutorial)
	bad := writeTemp(t, "bad", "route add default vai 192.168.1.1\n")
	for _, c := range []struct{ args, want string }{
		{"-dot -svg picture", "-dot, -mermaid and -svg exclude each other. See uplinks help picture."},
		{"-json picture", "picture has no option -json; \"uplinks -json explain\" has the same facts. See uplinks help picture."},
		{"-world " + world + " picture 198.51.100.7 form 192.168.2.2", `word 2 "form": not an address or a word of a packet; did you mean from? See uplinks help picture.`},
		{"-n x -world x picture", "-world and -n exclude each other. See uplinks help picture."},
		{"-world " + bad + " picture", bad + `:1: route: word 2 "vai": not an attribute of a route; did you mean via?`},
		{"-svg up", "up has no option -svg; it is an option of picture. See uplinks help up."},
	} {
		expectRun(t, "", "uplinks: "+c.want+"\n", exitUsage, strings.Fields(c.args)...)
	}
}

// The colors of a terminal are those of the picture's styles.
func TestPictureColors(t *testing.T) {
	l := line{{"● ", pictureStyles[1]}, {"main", pictureStyles[2]}}
	if got := l.render(true); got != "\x1b[1m● \x1b[0m\x1b[32mmain\x1b[0m" {
		t.Errorf("%q", got)
	}
}
