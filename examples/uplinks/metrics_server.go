package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A metricsPlace says where run serves metrics: an address with a port, or a socket of the
// file system.
type metricsPlace struct{ network, address string }

// parseMetricsPlace parses the value of the option -metrics. It takes no names of hosts:
// looking one up could take long.
func parseMetricsPlace(s string) (metricsPlace, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") {
			return metricsPlace{}, errors.New("the path of a socket begins with /, such as unix:/run/uplinks.metrics")
		}
		return metricsPlace{"unix", path}, nil
	}
	text := s
	if strings.HasPrefix(s, ":") { // all addresses, of IPv4 alone where there is no IPv6
		text = "[::]" + s
	}
	if _, err := netip.ParseAddrPort(text); err != nil {
		return metricsPlace{}, errors.New("want an address with a port, such as 127.0.0.1:9599 or [::1]:9599, or unix:PATH")
	}
	return metricsPlace{"tcp", s}, nil
}

// listen listens at the place. A socket whose process has ended is replaced.
func (p metricsPlace) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, p.network, p.address)
	if p.network != "unix" || !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	if fi, statErr := os.Lstat(p.address); statErr != nil || fi.Mode().Type() != fs.ModeSocket {
		return nil, err
	}
	if c, dialErr := net.DialTimeout("unix", p.address, metricsPatience); !errors.Is(dialErr, syscall.ECONNREFUSED) {
		if dialErr == nil {
			c.Close()
		}
		return nil, err
	}
	if err := os.Remove(p.address); err != nil {
		return nil, err
	}
	return config.Listen(ctx, p.network, p.address)
}

// Bounds of the work for clients.
const (
	metricsClients  = 16              // at the same time
	metricsPatience = 5 * time.Second // of reading a request, and again of writing the answer
	metricsHeader   = 8 << 10         // bytes of a request
	metricsAge      = time.Second     // answers can be so old
)

// metricsRetry is how often run tries to listen.
const metricsRetry = 10 * time.Second

// serveMetrics serves metrics until ctx ends. The uplinks come first: an address that nobody
// can listen on is a warning, and is tried again.
func (s *service) serveMetrics(ctx context.Context) {
	place, err := parseMetricsPlace(s.o.metrics)
	if err != nil {
		return // it was refused at the start
	}
	warned := false
	for {
		l, err := place.listen(ctx)
		if err == nil {
			s.log.write(slog.LevelInfo, "metrics are served on "+l.Addr().String())
			warned = false
			err = s.serveMetricsOn(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		if !warned {
			s.log.write(slog.LevelWarn, fmt.Sprintf("metrics cannot be served on %s: %v; uplinks tries again every %v", s.o.metrics, err, metricsRetry))
			warned = true
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(metricsRetry):
		}
	}
}

// serveMetricsOn serves metrics until ctx ends or the listener fails.
func (s *service) serveMetricsOn(ctx context.Context, l net.Listener) error {
	a := &metricsAnswers{make: s.currentMetrics, texts: make(map[bool]string)}
	server := &http.Server{
		Handler: a, ReadHeaderTimeout: metricsPatience, ReadTimeout: metricsPatience, WriteTimeout: 2 * metricsPatience,
		MaxHeaderBytes: metricsHeader, ErrorLog: stdlog.New(discard{}, "", 0),
	}
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	defer server.Close()
	return server.Serve(&limitedListener{l, make(chan struct{}, metricsClients)})
}

// A discard throws away what is written to it. Clients are not allowed to fill the log.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// A limitedListener has a limited number of connections at the same time.
type limitedListener struct {
	net.Listener
	slots chan struct{}
}

// Accept waits until there is room for a connection, and then for the connection. Every
// connection ends in limited time.
func (l *limitedListener) Accept() (net.Conn, error) {
	l.slots <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// A limitedConn makes room for another connection when it is closed.
type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// metricsAnswers answers requests. An answer is made once a second at most.
type metricsAnswers struct {
	make func(ctx context.Context) []metric

	mu    sync.Mutex
	at    time.Time
	texts map[bool]string // by whether it is OpenMetrics
}

// openMetricsType is the media type of OpenMetrics.
const openMetricsType = "application/openmetrics-text"

// ServeHTTP answers /metrics, in OpenMetrics if the client asks for it.
func (a *metricsAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/metrics":
		http.Error(w, "the metrics are at /metrics", http.StatusNotFound)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "want GET", http.StatusMethodNotAllowed)
		return
	}
	isOpen := strings.Contains(r.Header.Get("Accept"), openMetricsType)
	kind := "text/plain; version=0.0.4; charset=utf-8"
	if isOpen {
		kind = openMetricsType + "; version=1.0.0; charset=utf-8"
	}
	text := a.get(context.WithoutCancel(r.Context()), isOpen)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write([]byte(text)) // the client may be gone
}

// get returns the answer.
func (a *metricsAnswers) get(ctx context.Context, isOpen bool) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); now.Sub(a.at) > metricsAge {
		all := a.make(ctx)
		for _, open := range []bool{false, true} {
			var b strings.Builder
			writeMetrics(&b, all, open)
			a.texts[open] = b.String()
		}
		a.at = now
	}
	return a.texts[isOpen]
}

// currentMetrics returns the metrics of the uplinks as the last events left them. It reads
// nothing from the kernel but the counters of interfaces, with a socket of its own.
func (s *service) currentMetrics(ctx context.Context) []metric {
	m := s.tracker.snapshot(&s.counters)
	s.mu.Lock()
	file := s.file
	s.mu.Unlock()
	var entries []*entry
	for _, u := range file.uplinks {
		e := newEntry(u)
		e.State = stateIncomplete
		if l := m.status(e); l != nil && l.State == lineInstalled && l.Overruled == "" {
			e.State = stateComplete
		}
		entries = append(entries, e)
	}
	var replies *replyReport
	if l := m.Reply; l != nil {
		replies = &replyReport{State: stateIncomplete}
		if l.State == lineInstalled {
			replies.State = stateComplete
		}
	}
	if conn, err := dial(s.o.netns); err == nil {
		defer conn.Close()
		if t, err := readTraffic(ctx, conn, interfacesOf(entries)); err == nil {
			t.setTraffic(entries)
		}
		if replies != nil {
			countRepliesOf(ctx, conn, entries)
		}
	}
	return metricsOf(entries, replies, &m, true)
}
