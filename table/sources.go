package table

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// AbsentSources returns which of the declared Sources of uplinks are not addresses of
// this host now, in the order of the uplinks. Such a source has its rules, and is no
// reason why an uplink is not complete, as long as another one of its family is there.
func AbsentSources(ctx context.Context, c route.Conn, uplinks ...SourceRoutedUplink) ([][]netip.Addr, error) {
	addrs, err := host.ListAddresses(ctx, c, 0)
	if err != nil {
		return nil, err
	}
	here := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		here[a.Addr] = true
	}
	absent := make([][]netip.Addr, len(uplinks))
	for i, u := range uplinks {
		for _, a := range u.Sources {
			if !here[a] {
				absent[i] = append(absent[i], a)
			}
		}
	}
	return absent, nil
}
