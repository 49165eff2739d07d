// Package health finds out whether a way to the Internet leads anywhere.
//
// A gateway that answers can still lead nowhere. A [Probe] says what to ask by the
// way: connect to TCP ports, send echo requests as ping(8) does, or call a function.
// A [Prober] sends the Probe again and again from an address of the host, so that
// the rule for the address decides which way the packets take, and returns a
// [Verdict] whenever the way becomes healthy or unhealthy:
//
//	p := health.NewProber(health.Config{
//		Probe:   health.Probe{TCP: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443")}},
//		Changed: func() { ... },
//	})
//	p.SetSources(netip.MustParseAddr("192.168.2.2"))
//	p.Run(ctx)
//
// The package changes no rules and no routes.
package health
