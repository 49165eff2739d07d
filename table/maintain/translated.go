package maintain

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/conntrack"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/internal/form"
)

// endTranslated ends connections with the translated source of uplinks that are withdrawn. A
// connection keeps its source, so it could not go on by another uplink. It runs after new
// connections take another uplink. If there is no other one, connections stay.
func (m *maintainer) endTranslated(ctx context.Context) {
	for _, k := range m.uplinks {
		switch {
		case !k.Masquerade || !k.isWithdrawn():
			k.probing.ended = false
		case k.probing.ended || ctx.Err() != nil || !m.hasAlternative(k):
		default:
			k.probing.ended = true
			m.endTranslatedOf(ctx, k)
		}
	}
}

// hasAlternative reports whether another uplink of the families of k is complete and healthy.
func (m *maintainer) hasAlternative(k *maintainedUplink) bool {
	return slices.ContainsFunc(m.uplinks, func(o *maintainedUplink) bool {
		return o != k && o.isComplete() && !o.isWithdrawn() &&
			slices.ContainsFunc(o.families(), func(f route.Family) bool { return slices.Contains(k.families(), f) })
	})
}

// endTranslatedOf deletes the entries of connection tracking whose source was translated to an
// address of an uplink.
func (m *maintainer) endTranslatedOf(ctx context.Context, k *maintainedUplink) {
	sources := slices.Clone(k.memory.sources)
	for _, a := range slices.Concat(k.Sources, k.status.usable) {
		if !slices.Contains(sources, a) {
			sources = append(sources, a)
		}
	}
	n, err := m.deleteTranslated(ctx, sources)
	if n == 0 && err == nil {
		return
	}
	e := k.subject().event(EventConnectionsEnded)
	e.Err = err
	if err == nil {
		var words []string
		for _, a := range sources {
			words = append(words, a.String())
		}
		e.Reason = fmt.Sprintf("%d with the translated source %s, so that they can begin again by another uplink", n, strings.Join(words, " or "))
	}
	m.send(e)
}

// deleteTranslated deletes entries of connections that were translated to some addresses.
func (m *maintainer) deleteTranslated(ctx context.Context, sources []netip.Addr) (all int, err error) {
	c, err := nft.DialLike(m.conn)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for _, a := range sources {
		f := conntrack.Filter{
			Family: conntrack.IPv4, Status: conntrack.SourceTranslated,
			Reply: conntrack.TupleFilter{Dest: form.HostPrefix(a)},
		}
		if a.Is6() {
			f.Family = conntrack.IPv6
		}
		n, err := conntrack.DeleteAll(ctx, c, f)
		if err != nil {
			return all, err
		}
		all += n
	}
	return all, nil
}
