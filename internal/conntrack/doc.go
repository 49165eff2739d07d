// Package conntrack lists and deletes entries of connection tracking.
//
// Of a host whose uplink is dead, the connections whose source was translated to an address
// of that uplink can go on only as new ones. [DeleteAll] with a [Filter] deletes just their
// entries:
//
//	conntrack.DeleteAll(ctx, c, conntrack.Filter{
//		Status: conntrack.SourceTranslated,
//		Reply:  conntrack.TupleFilter{Dest: netip.MustParsePrefix("10.1.0.2/32")},
//	})
package conntrack
