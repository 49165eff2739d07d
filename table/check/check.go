package check

import (
	"context"
	"os"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/uplink"
)

// Run returns what is wrong with uplinks, and what else on the host will cause
// trouble for them. Without findings all is well. Findings are in the order of the
// uplinks; those about the host come last. Run changes nothing and sends no packet.
//
// Run also reads /proc and the configuration of systemd-networkd. It looks at the
// sockets and settings of the network namespace of c, which takes CAP_SYS_ADMIN if
// that is not the caller's namespace. If something cannot be read, that is a finding
// as well. The error is not nil only if the kernel could not be asked at all.
//
// Nobody can see from outside whether a UDP server sets the source addresses of its
// answers itself (IP_PKTINFO). Run reports such a server as well.
func Run(ctx context.Context, c route.Conn, uplinks ...table.SourceRoutedUplink) ([]Finding, error) {
	specs := make([]uplink.Spec, len(uplinks))
	for i, u := range uplinks {
		specs[i] = uplink.Spec(u)
	}
	f, err := readFacts(ctx, c, os.DirFS("/"), specs)
	if err != nil {
		return nil, err
	}
	p := newPaths(f)
	if err := p.lookUp(ctx, c); err != nil {
		return nil, err
	}
	return newExaminer(f, p).findings(), nil
}
