package rule_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// Events arrive until the context ends. Its error is the last value. After
// route.ErrEventsLost the watch goes on, and the program lists the rules again.
func ExampleWatch() {
	l := lab.New() // a namespace; a program would pass nil as the config
	defer l.Close()
	ns := l.NS("server")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	events, err := rule.Watch(ctx, ns.Config(), rule.Filter{Table: 20})
	if err != nil {
		log.Fatal(err)
	}
	c, err := route.Dial(ns.Config())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	web := rule.Rule{Family: route.IPv4, Priority: rule.Priority(1000), IPProto: route.TCP, DPort: rule.Port(80), Table: 20}
	if err := errors.Join(rule.Add(ctx, c, web), rule.Delete(ctx, c, web)); err != nil {
		log.Fatal(err)
	}

	for e, err := range events {
		switch {
		case errors.Is(err, route.ErrEventsLost):
			fmt.Println("list the rules again")
			continue
		case err != nil:
			fmt.Println(err)
			continue
		}
		fmt.Println(e.Kind, e.Rule)
		if e.Kind == route.Deleted {
			cancel()
		}
	}
	// Output:
	// added 1000: from all ipproto tcp dport 80 lookup 20
	// deleted 1000: from all ipproto tcp dport 80 lookup 20
	// context canceled
}
