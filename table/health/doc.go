// Package health finds out whether the Internet can be reached through an uplink.
//
// The Internet can be unreachable although the gateway answers. A [Probe] says how to
// test an uplink: connect to TCP ports, send echo requests as ping(8) does, or call a
// function. A [Prober] sends the Probe regularly, from an address of the uplink, so
// that the rule for this address sends the packets through the uplink. When the uplink
// becomes healthy or unhealthy, the Prober calls Changed, and [Prober.Verdicts] returns a
// new [Verdict]:
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
