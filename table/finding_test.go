package table

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
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
		s := survey{uplinks: []surveyed{}}
		var err error
		if s.host.networkd, err = readNetworkd(root, x.ns); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := s.managers(); len(got) > 0 {
			t.Errorf("%s, without uplinks: %v", name, got)
		}
		s.uplinks = make([]surveyed, 1)
		got := ""
		for _, f := range s.managers() {
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

// The kernel's settings, as they stand in /proc/sys/net/ipv4.
func TestReadConf(t *testing.T) {
	root := fstest.MapFS{
		"conf/all/rp_filter":      file("1\n"),
		"conf/all/src_valid_mark": file("0\n"),
		"conf/u2/rp_filter":       file("2\n"),
		"conf/u2/src_valid_mark":  file("1\n"),
		"ip_local_port_range":     file("32768\t60999\n"),
	}
	conf, err := readConf(root)
	if err != nil || conf["u2"] != (ipv4Conf{2, 1}) || conf["all"] != (ipv4Conf{1, 0}) || len(conf) != 2 {
		t.Errorf("got %v, %v", conf, err)
	}
	ports, err := readEphemeral(root)
	if err != nil || ports != [2]uint16{32768, 60999} {
		t.Errorf("got %v, %v", ports, err)
	}
	for name, text := range map[string]string{"conf/u2/rp_filter": "x", "ip_local_port_range": "99999 5"} {
		root[name] = file(text)
	}
	if _, err := readConf(root); err == nil {
		t.Error("a setting that is no number")
	}
	if _, err := readEphemeral(root); err == nil {
		t.Error("a port that is none")
	}
	if _, err := readConf(fstest.MapFS{}); err == nil {
		t.Error("no settings")
	}
}

func TestDecodeUDP(t *testing.T) {
	for n := range uapi.SizeofInetDiagMsg {
		if s, ok := decodeUDP(make([]byte, n)); ok {
			t.Errorf("%d bytes are %v", n, s)
		}
	}
	b := make([]byte, uapi.SizeofInetDiagMsg)
	if s, ok := decodeUDP(b); ok {
		t.Errorf("no family: %v", s)
	}
	b[uapi.InetDiagMsgFamily] = uapi.AF_INET6
	b[uapi.InetDiagMsgSPort+1] = 53
	s, ok := decodeUDP(attr.Append(slices.Clone(b), uapi.INET_DIAG_SKV6ONLY, []byte{1}))
	if !ok || s.addr.String() != "[::]:53" || !s.only6 || !s.kernel || s.bound != 0 {
		t.Errorf("got %+v, %t", s, ok)
	}
	if s, ok := decodeUDP(append(b, 200, 200, 200, 200, 1)); !ok || s.only6 {
		t.Errorf("a damaged attribute: %+v, %t", s, ok)
	}
}

// What could not be read is found, last, and an uplink that would be refused
// for a reason that is another finding is not found twice.
func TestFindingsOrder(t *testing.T) {
	u := SourceRoutedUplink{Name: "lan2", Interface: "eth9"}
	s := survey{
		uplinks: []surveyed{{uplink: &u, refused: u.field("Interface", "there is no interface %q", "eth9")}},
		unread:  []string{"net.ipv4.conf could not be read: no"},
		host:    hostState{networkd: networkdState{running: true, rules: true}},
	}
	var got []Code
	for _, f := range s.findings() {
		got = append(got, f.Code)
	}
	want := []Code{CodeInterfaceMissing, CodeAbsent, CodeForeignRules, CodeNotRead}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text := s.findings()[0].String()
	if want := "uplink lan2: fault (interface-missing): there is no interface eth9"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

func TestSeverityText(t *testing.T) {
	for s, want := range map[Severity]string{Note: "note", Warning: "warning", Fault: "fault", 9: "9"} {
		b, err := s.MarshalText()
		if err != nil || string(b) != want || s.String() != want {
			t.Errorf("%d is %q, %v", uint8(s), b, err)
		}
		var back Severity
		if err := back.UnmarshalText(b); err != nil || back != s {
			t.Errorf("%q is read as %d, %v", b, back, err)
		}
	}
	var s Severity
	if err := s.UnmarshalText([]byte("warn")); err == nil || s != 0 {
		t.Errorf("got %v, %d", err, s)
	}
}
