package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// checkMetrics checks a text in the format of Prometheus or in OpenMetrics, and returns its
// values by name and labels.
func checkMetrics(t *testing.T, text string, isOpen bool) map[string]float64 {
	t.Helper()
	values := make(map[string]float64)
	kinds := make(map[string]string)
	helps := make(map[string]bool)
	comment := regexp.MustCompile(`^# (HELP|TYPE|UNIT) ([a-z_]+) (.+)$`)
	sample := regexp.MustCompile(`^([a-z_]+)(\{[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="([^"\\\n]|\\[\\"n])*")*\})? ([0-9.]+)$`)
	current := ""
	body, isWhole := strings.CutSuffix(text, "# EOF\n")
	if !isWhole {
		t.Errorf("the text does not end with # EOF:\n%s", text)
	}
	for l := range strings.Lines(body) {
		l = strings.TrimSuffix(l, "\n")
		if m := comment.FindStringSubmatch(l); m != nil {
			switch m[1] {
			case "HELP":
				if helps[m[2]] {
					t.Errorf("%s comes twice", m[2])
				}
				helps[m[2]], current = true, m[2]
			case "TYPE":
				kinds[m[2]] = m[3]
				if isTotal := strings.HasSuffix(m[2], "_total"); m[3] == counter && isTotal == isOpen || m[3] == gauge && isTotal {
					t.Errorf("%s is a %s", m[2], m[3])
				}
			case "UNIT":
				if !strings.HasSuffix(strings.TrimSuffix(m[2], "_total"), "_"+m[3]) {
					t.Errorf("the unit of %s is %s", m[2], m[3])
				}
			}
			if m[2] != current {
				t.Errorf("%s stands below %s", l, current)
			}
			continue
		}
		m := sample.FindStringSubmatch(l)
		if m == nil {
			t.Errorf("the line %q", l)
			continue
		}
		name := m[1]
		if isOpen && kinds[strings.TrimSuffix(name, "_total")] == counter {
			name = strings.TrimSuffix(name, "_total")
		}
		v, err := strconv.ParseFloat(m[6], 64)
		if _, again := values[m[1]+m[2]]; name != current || kinds[name] == "" || err != nil || again {
			t.Errorf("the value %s stands below %s, again %v: %v", l, current, again, err)
		}
		values[m[1]+m[2]] = v
	}
	if !isOpen {
		lintMetrics(t, text)
	}
	return values
}

// lintMetrics has promtool check a text, if it is installed.
func lintMetrics(t *testing.T, text string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Logf("promtool does not check the metrics: %v", err)
		return
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s\n%s", err, out, text)
	}
}

// wantValues compares some of the values.
func wantValues(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s is %v (%v), want %v", name, g, ok, v)
		}
	}
}

// The command prints the metrics of uplinks without run, and is no failure if they are not
// complete.
func TestMetrics(t *testing.T) {
	h := newHost(t, lan12)
	h.run(exitOK, "up", "lan1")
	stdout, stderr := h.run(exitOK, "metrics")
	got := checkMetrics(t, stdout, false)
	wantValues(t, got, map[string]float64{
		`uplinks_uplink_up{name="lan1",family="inet"}`: 1, `uplinks_uplink_up{name="lan2",family="inet"}`: 0,
		`uplinks_uplink_connections{name="lan1",family="inet"}`: 0, `uplinks_monitored`: 0,
	})
	if _, ok := got[`uplinks_uplink_receive_bytes_total{name="lan1",family="inet"}`]; !ok || stderr != "" || strings.Contains(stdout, "repairs") {
		t.Errorf("got\n%s%s", stdout, stderr)
	}
}

// scrape asks for metrics over HTTP.
func scrape(t *testing.T, client *http.Client, url, accept string) (string, *http.Response) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	r, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), r
}

// Run serves its counters, in the format that the client asks for.
func TestMetricsServer(t *testing.T) {
	h := newHost(t, "lan1 table 10 dev eth0 via 192.168.1.1 connect 192.168.1.1:80 every 20ms timeout 10s\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	h.net.Addr("g1", "192.168.1.1/24")
	l, err := h.net.Listen("tcp", "192.168.1.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// The interface lo may be down where the test runs, so it does not use TCP.
	path := filepath.Join(shortDir(t), "m")
	const url = "http://uplinks/metrics"
	d := h.daemon("-metrics", "unix:"+path)
	d.says("metrics are served on " + path + "\n")
	d.says("uplink lan1 IPv4 healthy")
	h.rule("del", "from 192.168.2.2 lookup 20 proto 210 pref 31001")
	d.says("uplink lan2 IPv4 repaired")
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	const repairs = `uplinks_uplink_repairs_total{name="lan2",family="inet"}`
	var text string
	d.until("the repair in the metrics", func() bool {
		text, _ = scrape(t, client, url, "")
		return strings.Contains(text, repairs+" 1\n")
	})
	got := checkMetrics(t, text, false)
	wantValues(t, got, map[string]float64{
		`uplinks_uplink_up{name="lan1",family="inet"}`: 1, `uplinks_uplink_up{name="lan2",family="inet"}`: 1,
		`uplinks_uplink_healthy{name="lan1",family="inet"}`: 1, `uplinks_uplink_fights_total{name="lan1",family="inet"}`: 0,
		`uplinks_lost_events_total`: 0, `uplinks_monitored`: 1,
	})
	for _, name := range []string{
		`uplinks_steps_total`, `uplinks_looks_total`, `uplinks_uplink_probes_total{name="lan1",family="inet"}`,
		`uplinks_uplink_probe_duration_seconds{name="lan1",family="inet"}`, `uplinks_uplink_transmit_bytes_total{name="lan2",family="inet"}`,
	} {
		if got[name] <= 0 {
			t.Errorf("%s is %v", name, got[name])
		}
	}
	if _, ok := got[`uplinks_uplink_healthy{name="lan2",family="inet"}`]; ok {
		t.Error("lan2 has no probe, and a health")
	}
	open, r := scrape(t, client, url, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
	if kind := r.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text; version=1.0.0") {
		t.Errorf("the type is %s", kind)
	}
	checkMetrics(t, open, true)
	if _, r := scrape(t, client, strings.TrimSuffix(url, "metrics"), ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("/ is %s", r.Status)
	}
	if r, err := client.Post(url, "text/plain", nil); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is %v, %v", r, err)
	}
	// The command has the same, and what it counts itself.
	stdout, _ := h.run(exitOK, "metrics")
	wantValues(t, checkMetrics(t, stdout, false), map[string]float64{repairs: 1, `uplinks_uplink_connections{name="lan2",family="inet"}`: 0})
	d.end(exitOK)
}

// Clients that send nothing hold up neither the repairs nor, for long, other clients.
func TestMetricsSilentClients(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	path := filepath.Join(shortDir(t), "m")
	// The socket of a process that was killed is there.
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	d := h.daemon("-metrics", "unix:"+path)
	d.says("metrics are served on " + path + "\n")
	d.says("ready\n")
	for range metricsClients {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	h.rule("del", "from 192.168.2.2 lookup 20 proto 210 pref 31000")
	d.says("uplink lan2 IPv4 repaired")
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /metrics HTTP/1.0\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(5 * patience))
	status, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") {
		t.Errorf("the answer is %q, %v", status, err)
	}
	d.end(exitOK)
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s stays", path)
	}
}

// shortDir returns a directory whose path is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// An address that is taken is a warning: the uplinks come first. A place that cannot be one is
// refused.
func TestMetricsRefused(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	path := filepath.Join(shortDir(t), "m")
	h.write(path, "a file")
	d := h.daemon("-metrics", "unix:"+path)
	d.says("warning: metrics cannot be served on unix:" + path + ": ")
	d.complete()
	d.end(exitOK)
	if h.read(path) != "a file" {
		t.Error("the file is gone")
	}
	for _, place := range []string{"", "9599", "localhost:9599", "127.0.0.1", "unix:", "unix:m", "127.0.0.1:65536", ":x"} {
		if _, err := parseMetricsPlace(place); err == nil {
			t.Errorf("%q is taken", place)
		}
	}
	for place, want := range map[string]metricsPlace{
		":9599": {"tcp", ":9599"}, "[::1]:1": {"tcp", "[::1]:1"}, "unix:/m": {"unix", "/m"},
	} {
		if got, err := parseMetricsPlace(place); err != nil || got != want {
			t.Errorf("%s is %v, %v", place, got, err)
		}
	}
	if l, err := (metricsPlace{"tcp", ":0"}).listen(t.Context()); err != nil {
		t.Error(err)
	} else {
		l.Close()
	}
	_, stderr := h.run(exitConfig, "-metrics", "9599", "run")
	if !strings.Contains(stderr, "want an address with a port") {
		t.Errorf("it says %q", stderr)
	}
}

// Values of labels cannot end the label or the line.
func TestMetricsEscape(t *testing.T) {
	var b strings.Builder
	e := &entry{Name: "a\"b\\c\nd\x1b", Family: "inet", State: stateComplete}
	writeMetrics(&b, metricsOf([]*entry{e}, nil, nil, false), true)
	got := checkMetrics(t, b.String(), true)
	wantValues(t, got, map[string]float64{`uplinks_uplink_up{name="a\"b\\c\\x0ad\\x1b",family="inet"}`: 1})
	if len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
