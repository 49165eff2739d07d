package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/check"
)

// newScripted returns a host on which routers answer, with a LAN.
func newScripted(t *testing.T, names string) *host {
	h := newHost(t, "")
	h.net.Addr("g1", "192.168.1.1/24")
	h.net.Addr("g2", "192.168.2.1/24", "2001:db8:2::1/64")
	h.net.Addr("lo", "198.51.100.7/32", "192.168.2.9/32")
	h.ns.Link("lan", h.net, "glan")
	h.ns.Addr("lan", "172.16.5.2/24")
	h.write(filepath.Join(h.etc, "rt_tables"), rtTables+names)
	return h
}

// runScript runs a script with sh(1) and ip(8), which find the names of the host in
// /etc/iproute2. Where one of them is missing, the test reads the script.
func (h *host) runScript(text string) {
	h.Helper()
	for _, program := range []string{"sh", "ip", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			h.readScript(text)
			return
		}
	}
	if _, err := os.Stat("/etc/iproute2"); err != nil {
		h.readScript(text)
		return
	}
	cmd := exec.Command("sh", "-e", "-c", "mount --bind \"$ETC\" /etc/iproute2\n"+text)
	cmd.Env = append(os.Environ(), "ETC="+h.etc)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := h.ns.Do(cmd.Run); err != nil {
		h.Fatalf("%v\n%s", err, &out)
	}
}

// readScript does what the commands of a script say, without a shell.
func (h *host) readScript(text string) {
	h.Helper()
	values := make(map[string]string)
	files, err := rttables.Load(os.DirFS("/"), h.etc[1:])
	if err != nil {
		h.Fatal(err)
	}
	links, err := route.ListLinks(h.Context(), h.conn)
	if err != nil {
		h.Fatal(err)
	}
	names := &route.Names{Links: links, Files: files}
	for line := range strings.Lines(text) {
		words := strings.Fields(os.Expand(line, func(name string) string { return values[name] }))
		if len(words) == 0 {
			continue
		}
		if words[0] != "ip" {
			for _, w := range words {
				name, value, _ := strings.Cut(w, "=")
				values[name] = value
			}
			continue
		}
		words = words[1:]
		var option []string
		if words[0] == "-6" {
			option, words = words[:1], words[1:]
		}
		args := strings.Join(slices.Concat(option, words[2:]), " ")
		var r route.Route
		var ru rule.Rule
		switch words[0] + " " + words[1] {
		case "route add":
			if r, err = route.Parse(args, names); err == nil {
				err = route.Add(h.Context(), h.conn, r)
			}
		case "route del":
			r = route.Route{Protocol: route.ProtoBoot}
			err = route.Delete(h.Context(), h.conn, r)
		case "rule add":
			if ru, err = rule.Parse(args, names); err == nil {
				err = rule.Add(h.Context(), h.conn, ru)
			}
		case "route flush": // of the cache
		default:
			err = fmt.Errorf("the test does not know the command")
		}
		if err != nil {
			h.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
	}
}

// ways returns where packets go: from each address and without one, to the Internet, the
// LAN and the link, with marks, to ports, and forwarded.
func (h *host) ways() map[string]string {
	h.Helper()
	ways := make(map[string]string)
	for _, src := range []string{"", "192.168.1.2", "192.168.2.2", "2001:db8:2::2"} {
		for _, dst := range []string{"198.51.100.7", "172.16.5.9", "192.168.1.9", "192.168.2.9", "203.0.113.7", "2001:db8:99::7", "2001:db8:2::9"} {
			q := route.Query{Dst: netip.MustParseAddr(dst)}
			if src != "" {
				if q.Src = netip.MustParseAddr(src); q.Src.Is4() != q.Dst.Is4() {
					continue
				}
			}
			ways[src+" > "+dst] = h.wayOut(q)
			q.Mark = 2
			ways[src+" > "+dst+" mark 2"] = h.wayOut(q)
			q.Mark, q.IPProto, q.DPort = 0, route.TCP, 25
			ways[src+" > "+dst+" port 25"] = h.wayOut(q)
		}
	}
	h.ns.Sysctl("net.ipv4.ip_forward", "1")
	ways["forwarded"] = h.wayOut(route.Query{
		Src: netip.MustParseAddr("172.16.5.9"), Dst: netip.MustParseAddr("198.51.100.7"), IIF: h.ns.Index("lan"),
	})
	return ways
}

// wantNoConflict fails the test if check finds anything but what the script had as well.
func (h *host) wantNoConflict() {
	h.Helper()
	var out, errs bytes.Buffer
	run(h.Context(), []string{"-f", h.file, "-etc", h.etc, "-n", h.ns.Path(), "-json", "check"}, &out, &errs)
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		h.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Severity > check.Warning || !slices.Contains([]string{"gateway-unknown", "lan-detour", "foreign-route", "overruled-partly", "rule-order"}, string(f.Code)) {
			h.Errorf("check: %+v", f)
		}
	}
}

// uplinkLine is the line of an uplink, which may be a comment.
var uplinkLine = regexp.MustCompile(`^(# )?\S+( table \d+)? dev `)

// lines returns the lines of a file with uplinks.
func lines(file string) string {
	var b strings.Builder
	for line := range strings.Lines(file) {
		if uplinkLine.MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The whole move from a script: init prints the file, plan shows what adopt does, adopt
// does it, and nothing is left of the script's. Packets go where they went.
func TestAdopt(t *testing.T) {
	for _, x := range scripts {
		t.Run(x.name, func(t *testing.T) {
			h := newScripted(t, x.names)
			h.runScript(x.text)
			if x.twice {
				// The routes are there: a script goes on.
				h.runScript(strings.Join(slices.DeleteFunc(strings.SplitAfter(x.text, "\n"), func(line string) bool {
					return strings.HasPrefix(line, "ip route add")
				}), ""))
			}
			before, old := h.state(), h.ways()
			file, stderr := h.run(exitOK, "init")
			if got := lines(file); got != x.file || stderr != "" {
				t.Errorf("init:\n%s%s\nwant\n%s", got, stderr, x.file)
			}
			for _, part := range x.comments {
				if !strings.Contains(file, part) {
					t.Errorf("init does not say %q:\n%s", part, file)
				}
			}
			h.write(h.file, file)
			h.run(exitPending, "plan")
			h.run(exitPending, "-adopt", "plan")
			h.unchanged(before)
			_, stderr = h.run(exitOK, "adopt")
			if !strings.Contains(stderr, "remove the commands") || !strings.Contains(stderr, x.stays) ||
				x.stays == "" && strings.Contains(stderr, "stays") {
				t.Errorf("adopt says %q", stderr)
			}
			for packet, way := range h.ways() {
				want := old[packet]
				if to, ok := x.leads[packet]; ok {
					want = to
				}
				// Sockets get the source that the uplink's routes have.
				if way != want && strings.Fields(way)[0] != strings.Fields(want)[0] {
					t.Errorf("%s goes by %s, want %s", packet, way, want)
				}
			}
			adopted := h.state()
			for line := range strings.Lines(adopted) {
				if strings.HasPrefix(line, "rule ") && !strings.Contains(line, "proto ") && !strings.Contains(line, "from all lookup main suppress") {
					t.Errorf("a rule of the script is left: %s", line)
				}
			}
			h.want("", exitOK, "adopt")
			h.want("", exitOK, "up")
			h.want("nothing to change\n", exitOK, "plan")
			h.run(exitOK, "status")
			h.unchanged(adopted)
			h.wantNoConflict()
			h.run(exitOK, "down")
		})
	}
}

// init as JSON has the lines and the reasons, and needs no file.
func TestInitJSON(t *testing.T) {
	h := newScripted(t, scripts[0].names)
	h.runScript(scripts[0].text)
	h.file = filepath.Join(t.TempDir(), "none")
	stdout, _ := h.run(exitOK, "-json", "init")
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.Command != "init" || len(r.Uplinks) != 2 || r.Uplinks[1].Config != "lan2 table 20 dev eth1 via 192.168.2.1" ||
		!slices.Contains(r.Uplinks[1].Reasons, "table lan2 has a default route via 192.168.2.1 by eth1") {
		t.Errorf("got %s", stdout)
	}
}

// A host that has uplinks already gets the same ones from init, whatever it had before.
func TestInitInstalled(t *testing.T) {
	h := newScripted(t, "")
	h.write(h.file, "lan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	h.run(exitOK, "up")
	file, _ := h.run(exitOK, "init")
	h.write(h.file, file)
	h.want("nothing to change\n", exitOK, "plan")
}

// Names of interfaces that a line cannot begin with, or that a file cannot have at all.
func TestInitNames(t *testing.T) {
	for name, want := range map[string]string{
		"eth0": "eth0", "dev": "uplink-dev", "default": "uplink-default", "a;id>x": "uplink-a-id-x", "o'ne": "uplink-o-ne",
		"#x": "uplink--x", "eth0.7": "eth0.7", "main": "uplink-main", "7": "uplink-7",
	} {
		if got := safeName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
		if _, err := parseConfig("", safeName(name)+" dev eth0 via 192.168.1.1\n"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// While adopt takes over, packets from both addresses leave by their own provider, and
// none is lost.
func TestAdoptWithoutGap(t *testing.T) {
	h := newScripted(t, scripts[0].names)
	h.runScript(scripts[0].text)
	file, _ := h.run(exitOK, "init")
	h.write(h.file, file)
	taps := []*lab.Tap{h.net.Tap("g1"), h.net.Tap("g2")}
	sources := []string{"192.168.1.2", "192.168.2.2"}
	if _, err := h.net.ListenPacket("udp", "198.51.100.7:9"); err != nil { // no answer "port unreachable"
		t.Fatal(err)
	}
	var sent, failed [2]atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	var conns [2]net.PacketConn
	for i, src := range sources {
		c, err := h.ns.ListenPacket("udp", net.JoinHostPort(src, "0"))
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		go func() {
			to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("198.51.100.7:9"))
			for n := 0; ; n++ {
				select {
				case <-stop:
					done <- struct{}{}
					return
				default:
				}
				if n%1024 == 0 {
					taps[0].Drops() // it empties the rings
					taps[1].Drops()
				}
				if _, err := c.WriteTo([]byte("x"), to); err != nil {
					failed[i].Add(1)
				} else {
					sent[i].Add(1)
				}
			}
		}()
	}
	goOn := func() {
		for i := range sent {
			for before := sent[i].Load(); sent[i].Load() < before+100; {
				if failed[i].Load() > 0 {
					return
				}
			}
		}
	}
	goOn()
	h.run(exitOK, "adopt")
	goOn()
	close(stop)
	<-done
	<-done
	for i, src := range sources {
		from := conns[i].LocalAddr().(*net.UDPAddr).AddrPort()
		for k, tap := range taps {
			got := tap.Count(func(p lab.Packet) bool { return !p.Out && p.Src == from })
			want := 0
			if i == k {
				want = int(sent[i].Load())
			}
			if got != want {
				t.Errorf("of %d packets from %s, %d arrived at router %d, want %d", sent[i].Load(), src, got, k+1, want)
			}
		}
		if failed[i].Load() > 0 {
			t.Errorf("%d packets from %s could not be sent", failed[i].Load(), src)
		}
	}
}
