package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// tooShort returns the context of attackers, whose time is limited otherwise.
func tooShort() context.Context { return context.Background() }

// flood calls change for some time.
func flood(ctx context.Context, rng *rand.Rand, change func(i int) error) error {
	end := time.Now().Add(time.Duration(500+rng.IntN(2500)) * time.Millisecond)
	for i := 0; time.Now().Before(end) && ctx.Err() == nil; i++ {
		if err := change(i); err != nil {
			return err
		}
	}
	return nil
}

// protoBIRD is the protocol of a routing daemon.
const protoBIRD route.Protocol = 12

// foreignTable is a table that no uplink has.
const foreignTable rttables.ID = 5000

// routeFlood adds and deletes thousands of routes of another program, some of them in table
// main.
func routeFlood(ctx context.Context, w *world, rng *rand.Rand) error {
	oif := w.host.Index("u0")
	return flood(ctx, rng, func(int) error {
		var add, del route.Batch
		for i := range 500 {
			u := route.Route{
				Dst:   netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64 + byte(rng.IntN(8)), byte(i >> 8), byte(i)}), 32),
				Table: foreignTable, Gateway: netip.MustParseAddr("10.0.0.1"), OIF: oif, Protocol: protoBIRD,
			}
			if i%10 == 0 {
				u.Table = rttables.Main
			}
			add.Replace(u)
			del.Delete(u)
		}
		if err := add.Do(ctx, w.rival); err != nil {
			return err
		}
		return del.Do(ctx, w.rival)
	})
}

// ruleFlood adds and deletes rules of another program.
func ruleFlood(ctx context.Context, w *world, rng *rand.Rand) error {
	return flood(ctx, rng, func(int) error {
		var add, del rule.Batch
		for i := range 50 {
			u := rule.Rule{
				From:  netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 100, byte(rng.IntN(200)), byte(i)}), 32),
				Table: foreignTable, Priority: rule.Priority(uint32(40 + rng.IntN(32000))), Protocol: protoBIRD,
			}
			add.Add(u)
			del.Delete(u)
		}
		if err := add.Do(ctx, w.rival); err != nil {
			return err
		}
		return del.Do(ctx, w.rival)
	})
}

// linkFlood makes and deletes interfaces whose names a terminal or a shell would not like.
func linkFlood(ctx context.Context, w *world, rng *rand.Rand) error {
	return flood(ctx, rng, func(i int) error {
		name := fmt.Sprintf("\x1b[3%dm$(a)`;\"", i%10)
		w.host.Link(name, w.side.elsewhere, fmt.Sprintf("e%d", rng.IntN(1000)))
		alias := "\x1b[2J\n100: from all lookup main"
		err := setLink(w.host, name, &rtnetlink.LinkAttributes{Alias: &alias})
		w.host.DeleteLink(name)
		return errors.Join(err, w.lab.Err())
	})
}

// addressFlood adds addresses to the loopback and to an interface of another program, and
// deletes them.
func addressFlood(ctx context.Context, w *world, rng *rand.Rand) error {
	return flood(ctx, rng, func(int) error {
		a := fmt.Sprintf("100.101.%d.%d/32", rng.IntN(100), rng.IntN(250))
		w.host.Addr("lo", a)
		w.host.DelAddr("lo", a)
		return w.lab.Err()
	})
}

// carrierFlood takes the end of a wire down and up that a container has, which needs no
// privilege on the host.
func carrierFlood(ctx context.Context, w *world, rng *rand.Rand) error {
	end := w.side.elsewhere
	w.host.Link("c0", end, "c1")
	err := flood(ctx, rng, func(int) error {
		end.Down("c1")
		end.Up("c1")
		return w.lab.Err()
	})
	w.host.DeleteLink("c0")
	return errors.Join(err, w.lab.Err())
}
