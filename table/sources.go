package table

import (
	"context"
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/host"
)

// AbsentSources returns, for each uplink, the declared Sources that are not addresses
// of this host now. Such a source has its rules all the same. The uplink is complete
// without the address, as long as another source of the same family is an address of
// this host.
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
