package reply

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/ruleset"
)

// askedPrefix begins the name of the set of clients that have asked an address.
const askedPrefix = "asked_"

// Clients returns how many clients of UDP servers are remembered for each address of the
// uplinks. A client counts once for each port of this host that it has asked. Without a policy
// that has UDP, the result is empty.
func Clients(ctx context.Context, c route.Conn) (map[netip.Addr]int, error) {
	clients := make(map[netip.Addr]int)
	err := ruleset.WithConn(c, func(n nft.Conn) error {
		now, err := nft.Read(ctx, n, nft.Inet, TableName)
		if err != nil || !now.Found {
			return err
		}
		for _, s := range now.Sets {
			name, ok := strings.CutPrefix(s.Name, askedPrefix)
			a, err := netip.ParseAddr(strings.ReplaceAll(name, "_", ":"))
			if !ok || err != nil {
				continue
			}
			elements, err := nft.Elements(ctx, n, s)
			if err != nil {
				return err
			}
			clients[a] = len(elements)
		}
		return nil
	})
	if errors.Is(err, errors.ErrUnsupported) { // the kernel has no such tables
		err = nil
	}
	return clients, err
}
