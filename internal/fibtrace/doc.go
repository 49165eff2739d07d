// Package fibtrace reads the lookups of the kernel in its routing tables, live: the
// tracepoints fib:fib_table_lookup and fib6:fib6_table_lookup. The kernel reports an
// [Event] for each table that it asks about a packet, in order, with the result and
// before suppressors of rules are considered. So the events of one packet are the way
// that it took through the rules.
//
//	t, err := fibtrace.Open(&fibtrace.Config{Dst: netip.MustParsePrefix("192.0.2.0/24")})
//	if err != nil {
//		return err
//	}
//	defer t.Close()
//	for e, err := range t.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(e)
//	}
//
// The tracepoints see all network namespaces, and say of none which one it is: use the
// filters of [Config].
//
// Open needs root of the host (CAP_SYS_ADMIN in the initial user namespace, and access to
// tracefs). It mounts tracefs where nobody else sees it, and makes an instance of its own
// there, a directory below instances. So it changes nothing for other users of tracing.
// Close removes the instance. What a killed process leaves, the next Open removes.
//
// On systems other than Linux, Open fails with errors.ErrUnsupported.
package fibtrace
