package check

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// What systemd-networkd deletes, by its configuration and whether it runs in
// the namespace that is checked.
func TestFindingForeign(t *testing.T) {
	const here, there = "net:[4026531840]", "net:[4026532000]"
	const no = "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes = no\n"
	const rules = "warning foreign-rules systemd-networkd\n"
	const routes = "warning foreign-routes systemd-networkd\n"
	running := map[string]*fstest.MapFile{
		"proc/1/comm":     file("systemd\n"),
		"proc/612/comm":   file("systemd-network\n"), // the kernel has 15 bytes for a name
		"proc/612/ns/net": {Data: []byte(here), Mode: fs.ModeSymlink},
	}
	for name, x := range map[string]struct {
		files map[string]*fstest.MapFile
		ns    string
		want  string
	}{
		"not running":     {map[string]*fstest.MapFile{"proc/612/comm": file("systemd-resolve\n")}, here, ""},
		"no proc":         {nil, here, ""},
		"running":         {nil, here, rules + routes},
		"in another ns":   {nil, there, ""},
		"unknown ns":      {nil, "", rules + routes},
		"told not to":     {map[string]*fstest.MapFile{"etc/systemd/networkd.conf": file(no)}, here, ""},
		"only about one":  {map[string]*fstest.MapFile{"etc/systemd/networkd.conf": file("[Network]\nManageForeignRoutingPolicyRules=0\n")}, here, routes},
		"commented out":   {map[string]*fstest.MapFile{"etc/systemd/networkd.conf": file("[Network]\n#ManageForeignRoutingPolicyRules=no\n")}, here, rules + routes},
		"another section": {map[string]*fstest.MapFile{"etc/systemd/networkd.conf": file("[DHCPv4]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n")}, here, rules + routes},
		"a drop-in": {map[string]*fstest.MapFile{
			"etc/systemd/networkd.conf":           file("[Network]\nManageForeignRoutingPolicyRules=yes\n"),
			"etc/systemd/networkd.conf.d/10.conf": file(no),
		}, here, ""},
		"the last drop-in counts": {map[string]*fstest.MapFile{
			"etc/systemd/networkd.conf.d/10.conf":     file(no),
			"usr/lib/systemd/networkd.conf.d/20.conf": file("[Network]\nManageForeignRoutes=\n"),
		}, here, routes},
		"etc hides usr": {map[string]*fstest.MapFile{
			"etc/systemd/networkd.conf.d/10.conf":     file(no),
			"usr/lib/systemd/networkd.conf.d/10.conf": file("[Network]\nManageForeignRoutes=yes\n"),
			"etc/systemd/networkd.conf":               file(""),
			"usr/lib/systemd/networkd.conf":           file("[Network]\nManageForeignRoutes=yes\n"),
		}, here, ""},
	} {
		root := fstest.MapFS{}
		if _, stopped := x.files["proc/612/comm"]; !stopped && name != "no proc" {
			for p, f := range running {
				root[p] = f
			}
		}
		for p, f := range x.files {
			root[p] = f
		}
		e := examine(&facts{})
		var err error
		if e.system.networkd, err = readNetworkd(root, x.ns); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := e.checkManagers(); len(got) > 0 {
			t.Errorf("%s, without uplinks: %v", name, got)
		}
		e.facts.uplinks = make([]uplinkFacts, 1)
		got := ""
		for _, f := range e.checkManagers() {
			got += f.Severity.String() + " " + string(f.Code) + " " + f.Object + "\n"
			if f.Uplink != "" || !strings.Contains(f.Cure, "=no") {
				t.Errorf("%+v", f)
			}
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
