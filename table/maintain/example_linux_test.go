package maintain_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"os"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/maintain"
)

// The cable is pulled and plugged in again. The kernel has deleted the routes without
// notification; Run adds them again.
func ExampleRun() {
	ctx, cancel := context.WithCancel(context.Background())
	l := lab.New() // a namespace with eth1 192.168.2.2/24; else the dial below is nil
	defer l.Close()
	ns, router := l.NS("server"), l.NS("router")
	ns.Link("eth1", router, "eth0")
	ns.Addr("eth1", "192.168.2.2/24")
	dial := func() (route.Conn, error) { return route.Dial(ns.Config()) }

	lan2 := maintain.Uplink{SourceRoutedUplink: table.SourceRoutedUplink{
		Table:     20,
		Interface: "eth1", Gateway: netip.MustParseAddr("192.168.2.1"),
		Unreachable: true, // until the routes are back, nothing goes by another way
	}}
	installed := 0
	err := maintain.Run(ctx, dial, &maintain.Config{
		Remove: true, // when ctx ends
		Event: func(e maintain.Event) {
			switch fmt.Println(e); e.Kind {
			case maintain.EventInstalled:
				if installed++; installed == 1 {
					ns.Down("eth1")
				} else {
					cancel()
				}
			case maintain.EventPending:
				ns.Up("eth1")
			}
		},
	}, lan2)
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// uplink dev eth1 via 192.168.2.1 IPv4 installed: ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2; ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2; ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000; ip rule add from 192.168.2.2 unreachable proto 210 pref 31001
	// ready
	// uplink dev eth1 via 192.168.2.1 IPv4 pending: the interface eth1 is down
	// uplink dev eth1 via 192.168.2.1 IPv4 installed: ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2; ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2
	// uplink dev eth1 via 192.168.2.1 IPv4 removed
}

// Events go to a logger of log/slog.
func ExampleRun_logger() {
	ctx, cancel := context.WithCancel(context.Background())
	l := lab.New() // a namespace with eth1 192.168.2.2/24; else the dial below is nil
	defer l.Close()
	ns, router := l.NS("server"), l.NS("router")
	ns.Link("eth1", router, "eth0")
	ns.Addr("eth1", "192.168.2.2/24")
	dial := func() (route.Conn, error) { return route.Dial(ns.Config()) }

	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	config := maintain.Config{
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
		Event: func(e maintain.Event) {
			if e.Kind == maintain.EventReady {
				cancel() // the uplink stays installed
			}
		},
	}
	err := maintain.Run(ctx, dial, &config, maintain.Uplink{SourceRoutedUplink: table.SourceRoutedUplink{
		Table: 20, Interface: "eth9", Gateway: netip.MustParseAddr("192.168.9.1"),
	}})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=WARN msg="uplink pending" uplink="dev eth9 via 192.168.9.1" family=inet reason="the interface eth9 does not exist"
	// level=INFO msg=ready
}
