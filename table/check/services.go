package check

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// Services are what on a host answers through a default route whichever uplink the question
// came from, unless a policy of package reply says otherwise.
type Services struct {
	// UDP are the ports of UDP servers that listen on all addresses, in ascending order.
	// Whether such a server uses IP_PKTINFO is not known.
	UDP []uint16
	// Published are the chains of nf_tables that publish ports (DNAT), such as "table ip nat
	// chain DOCKER". Only a process with CAP_NET_ADMIN sees them.
	Published []string
}

// ListServices lists the services of the network namespace of c.
func ListServices(ctx context.Context, c route.Conn) (Services, error) {
	var s Services
	var facts systemFacts
	err := rtnl.Inside(c, func() (err error) {
		if facts.ephemeral, err = readEphemeral(files.Dir("/proc/sys/net/ipv4")); err != nil {
			return err
		}
		facts.udp, err = listUDP()
		return err
	})
	if err != nil {
		return s, err
	}
	for _, x := range serversOf(&facts) {
		s.UDP = append(s.UDP, x.query.SPort)
	}
	slices.Sort(s.UDP)
	s.UDP = slices.Compact(s.UDP)
	all, err := readRules(ctx, c)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return s, nil
	}
	for i := range all {
		r := &all[i]
		if place := placeOf(r); isPublishing(r) && !isReplyTable(r.Family, r.Table) && !slices.Contains(s.Published, place) {
			s.Published = append(s.Published, place)
		}
	}
	return s, err
}

// readRules reads the rules of nf_tables of all programs.
func readRules(ctx context.Context, c route.Conn) ([]nft.Rule, error) {
	conn, err := nft.DialLike(c)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	all, err := nft.ReadHost(ctx, conn, nft.AnyFamily)
	if err != nil {
		return nil, err
	}
	return all.Rules, nil
}
