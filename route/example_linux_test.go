package route_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"syscall"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// exampleServer returns a connection to a namespace that has eth1 192.168.2.2/24. A program
// would call route.Dial(nil).
func exampleServer() (c *route.Socket, done func()) {
	l := lab.New()
	server, router := l.NS("server"), l.NS("router")
	server.Link("eth1", router, "eth0")
	server.Addr("eth1", "192.168.2.2/24")
	c, err := route.Dial(server.Config())
	if err != nil {
		log.Fatal(err)
	}
	return c, func() {
		c.Close()
		l.Close()
	}
}

// The way that a packet takes, with the names of interfaces and tables.
func ExampleLookup() {
	c, done := exampleServer()
	defer done()
	ctx := context.Background()
	names, err := route.ListNames(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	for _, dst := range []string{"192.168.2.9", "198.51.100.1"} {
		r, err := route.Lookup(ctx, c, route.Query{Dst: netip.MustParseAddr(dst)})
		if errors.Is(err, syscall.ENETUNREACH) {
			fmt.Println(dst, "has no route")
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(dst, "by", names.Links.Name(r.OIF), "from", r.PrefSrc)
	}
	// Output:
	// 192.168.2.9 by eth1 from 192.168.2.2
	// 198.51.100.1 has no route
}

// All routes to the interface, by its name.
func ExampleListNames() {
	c, done := exampleServer()
	defer done()
	ctx := context.Background()
	names, err := route.ListNames(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	r, err := route.Parse("default via 192.168.2.1 dev eth1 table 20", names)
	if err != nil {
		log.Fatal(err)
	}
	if err := route.Add(ctx, c, r); err != nil {
		log.Fatal(err)
	}
	for r, err := range route.All(ctx, c, route.Filter{Table: 20}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Text(names))
	}
	// Output: default via 192.168.2.1 dev eth1 table 20
}
