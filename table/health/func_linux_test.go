package health_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// A probe of the caller's own is in the namespace of the way, with its address and its
// mark, also by a client of which goroutines of its own open the connections.
func TestFuncNamespace(t *testing.T) {
	tabletest.ForFamilies(t, func(t *testing.T, n *tabletest.Network, f tabletest.Family) {
		n.Install(n.Uplink2(f))
		serveHTTP(t, n, f)
		local := map[tabletest.Family]string{tabletest.IPv4: "127.0.0.1", tabletest.IPv6: "::1"}[f]
		if _, err := n.Server.Listen(f.TCP, net.JoinHostPort(local, "81")); err != nil {
			t.Fatal(err)
		}
		const mark = 7
		answers := make(chan string, 1)
		probe := health.Probe{Mark: mark, Timeout: 5 * time.Second}
		probe.Func = func(ctx context.Context, source netip.Addr, dial health.DialFunc) error {
			answer := askFromWithin(ctx, f, source, dial)
			select {
			case answers <- answer:
			default:
			}
			if strings.HasPrefix(answer, "you are ") {
				return nil
			}
			return errors.New(answer)
		}
		s := startSession(n, probe, nil, f.A2)
		s.await(0, true)
		if got := <-answers; !strings.HasPrefix(got, "you are "+net.JoinHostPort(f.A2, "")) {
			t.Errorf("the server says %q", got)
		}
		// A rule that refuses the mark applies to the probe.
		refuse := rule.Rule{
			Family: route.FamilyOf(netip.MustParseAddr(f.A2)), FwMark: rule.FwMark(mark),
			Action: rule.ActionProhibit, Priority: rule.Priority(5),
		}
		if err := rule.Add(t.Context(), n.Conn, refuse); err != nil {
			t.Fatal(err)
		}
		s.await(1, false)
		s.end()
		// The control: without the mark it does not.
		probe.Mark = 0
		startSession(n, probe, nil, f.A2).await(0, true)
	})
}

// serveHTTP tells whoever asks the client where the question comes from.
func serveHTTP(t *testing.T, n *tabletest.Network, f tabletest.Family) {
	t.Helper()
	l, err := n.Net.Listen(f.TCP, net.JoinHostPort(f.Client, "80"))
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "you are "+r.RemoteAddr)
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// askFromWithin opens sockets in all ways that a Func may, and returns the answer of
// the HTTP server, or what did not work.
func askFromWithin(ctx context.Context, f tabletest.Family, source netip.Addr, dial health.DialFunc) string {
	if source.String() != f.A2 {
		return "source " + source.String()
	}
	l, err := net.Listen(f.TCP, net.JoinHostPort(f.A2, "0"))
	if err != nil {
		return "own socket: " + err.Error()
	}
	l.Close()
	// A name that the hosts file has for IPv4, wherever the test runs.
	name := map[tabletest.Family]string{tabletest.IPv4: "localhost", tabletest.IPv6: "::1"}[f]
	c, err := dial(ctx, "tcp", net.JoinHostPort(name, "81"))
	if err != nil {
		return "by name: " + err.Error()
	}
	c.Close()
	if _, err := dial(ctx, "unix", "/x"); err == nil {
		return "a network that is none"
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+net.JoinHostPort(f.Client, "80"), nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return "http: " + err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}
