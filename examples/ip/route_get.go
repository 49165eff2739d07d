package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A query is the request of "ip route get".
type query struct {
	p         *program
	route     route.Route // with the properties of the packet
	flags     uint32
	hasDst    bool
	connected bool
	hasSrc    bool
	iif, oif  string
}

// queryWords are the keywords of "ip route get". Any other word is the destination.
var queryWords = []keyword[query]{
	{names: []string{"tos"}, short: []string{"dsfield"}, read: func(q *query, w *words) error {
		return readValue(w, "TOS value is invalid", q.p.names.Files.DSFields().Parse, &q.route.TOS)
	}},
	{short: []string{"from"}, read: (*query).readFrom},
	{short: []string{"iif"}, read: func(q *query, w *words) (err error) {
		q.iif, err = w.arg()
		return err
	}},
	{short: []string{"mark"}, read: func(q *query, w *words) error {
		return readValue(w, "invalid mark value", parseUint, &q.route.Packet.Mark)
	}},
	{names: []string{"dev"}, short: []string{"oif"}, read: func(q *query, w *words) (err error) {
		q.oif, err = w.arg()
		return err
	}},
	{short: []string{"notify"}, read: func(q *query, _ *words) error { q.flags |= uapi.RTM_F_NOTIFY; return nil }},
	{short: []string{"connected"}, read: func(q *query, _ *words) error { q.connected = true; return nil }},
	{short: []string{"vrf"}, read: func(q *query, w *words) (err error) {
		if q.oif, err = w.arg(); err == nil {
			_, err = q.p.vrfDeviceTable(q.oif)
		}
		return err
	}},
	{short: []string{"uid"}, read: func(q *query, w *words) error { return readNumber(w, "invalid UID", &q.route.Packet.UID) }},
	{short: []string{"fibmatch"}, read: func(q *query, _ *words) error { q.flags |= uapi.RTM_F_FIB_MATCH; return nil }},
	{names: []string{"as"}, read: (*query).readNewDst},
	{short: []string{"sport"}, read: func(q *query, w *words) error {
		err := readValue(w, "invalid sport", parseUint, &q.route.Packet.SPort)
		return q.sendZero(err, uapi.RTA_SPORT, 2, q.route.Packet.SPort == 0)
	}},
	{short: []string{"dport"}, read: func(q *query, w *words) error {
		err := readValue(w, "invalid dport", parseUint, &q.route.Packet.DPort)
		return q.sendZero(err, uapi.RTA_DPORT, 2, q.route.Packet.DPort == 0)
	}},
	{short: []string{"ipproto"}, read: func(q *query, w *words) error {
		s, err := w.arg()
		if err == nil && q.route.Packet.IPProto.UnmarshalText([]byte(s)) != nil {
			err = wrongArg(s, `Invalid "ipproto" value`)
		}
		return q.sendZero(err, uapi.RTA_IP_PROTO, 1, q.route.Packet.IPProto == 0)
	}},
	{short: []string{"flowlabel"}, read: func(q *query, w *words) error {
		return readNumber(w, "invalid flowlabel", &q.route.Packet.FlowLabel)
	}},
}

// sendZero sends an attribute of size bytes that a word gives, and whose value is zero.
func (q *query) sendZero(err error, num uapi.RTA, size int, isZero bool) error {
	if err == nil && isZero {
		q.route.Unknown += route.Attributes(attr.Append(nil, uint16(num), make([]byte, size)))
	}
	return err
}

func (p *program) routeGet(w *words) error {
	p.loadNames()
	q := &query{p: p, route: route.Route{Family: p.family, MPLS: &route.MPLSRoute{}, Packet: &route.Packet{}}}
	for w.more() {
		var err error
		if k := find(queryWords, w.args[w.next]); k != nil {
			w.take()
			err = k.read(q, w)
		} else {
			err = q.readDst(w)
		}
		if err != nil {
			return err
		}
	}
	if !q.hasDst {
		return failf(statusFailed, "need at least a destination address")
	}
	if err := q.findDevices(); err != nil {
		return err
	}
	r, err := q.ask()
	if err != nil {
		return err
	}
	if q.connected && !q.hasSrc {
		return q.showConnected(r)
	}
	return p.showRoutes([]route.Route{r}, 0)
}

func (q *query) readDst(w *words) error {
	if w.args[w.next] == "to" {
		w.take()
	}
	if w.more() && abbreviates(w.args[w.next], "help") {
		return usageFailure(helpRoute)
	}
	n, err := readPrefix(w, q.route.Family)
	if err != nil {
		return err
	}
	q.hasDst = true
	q.setFamily(n.family)
	if n.family == route.MPLS {
		q.route.MPLS.Label.Set(n.label)
	} else {
		// "default" is a prefix of length 0, whatever the family is; without a family,
		// it is one of IPv4 that nothing is said about.
		if all := q.route.Family.Bits(); all > 0 && n.bits != all {
			q.p.warnf("Warning: /%d as prefix is invalid, only /%d (or none) is supported.", n.bits, all)
		}
		q.route.Dst = netip.Prefix{}
		if n.addr.IsValid() {
			q.route.Dst = netip.PrefixFrom(n.addr, n.addr.BitLen())
		}
	}
	return nil
}

func (q *query) readFrom(w *words) error {
	if w.more() && abbreviates(w.args[w.next], "help") {
		return usageFailure(helpRoute)
	}
	n, err := readPrefix(w, q.route.Family)
	if err != nil {
		return err
	}
	q.hasSrc = true
	q.setFamily(n.family)
	if n.addr.IsValid() {
		q.route.Src = netip.PrefixFrom(n.addr, n.bits)
	}
	return nil
}

func (q *query) readNewDst(w *words) error {
	w.accept("to")
	s, err := w.arg()
	if err != nil {
		return err
	}
	r, err := q.p.parseRouteWords(nil, []string{"default", "as", s})
	if err != nil {
		return addressExpected(q.route.Family, s)
	}
	if r.MPLS != nil {
		q.route.MPLS.NewDst = r.MPLS.NewDst
	}
	q.route.Unknown = r.Unknown
	return nil
}

// setFamily sets the family of the query to that of its first address, unless an option set
// one.
func (q *query) setFamily(f route.Family) {
	if q.route.Family == 0 {
		q.route.Family = f
	}
}

func (q *query) findDevices() (err error) {
	for _, x := range []struct {
		name  string
		index *uint32
	}{{q.iif, &q.route.Packet.IIF}, {q.oif, &q.route.OIF}} {
		if x.name == "" {
			continue
		}
		if *x.index, err = q.p.device(x.name); err != nil {
			return err
		}
	}
	return nil
}

// ask sends the query, and returns the answer of the kernel.
func (q *query) ask() (r route.Route, err error) {
	q.setFamily(route.IPv4)
	if bits := q.route.Family.Bits(); bits > 0 && !q.route.Dst.IsValid() {
		q.route.Dst = netip.PrefixFrom(zeroAddr(q.route.Family), bits)
	}
	if q.route.Family == route.IPv4 {
		q.flags |= uapi.RTM_F_LOOKUP_TABLE // IPv6 always reports the table, and refuses the flag
	}
	data, err := q.route.MarshalBinary()
	if err != nil {
		return r, failf(statusFailed, "Error: %v.", err)
	}
	binary.NativeEndian.PutUint32(data[uapi.RtMsgFlags:], q.flags)
	if err := q.p.dial(); err != nil {
		return r, err
	}
	msgs, err := rtnl.Replies(q.p.conn, netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request},
		Data:   data,
	})
	switch {
	case err != nil:
		return r, kernelFailure(err)
	case len(msgs) == 0 || r.UnmarshalBinary(msgs[0].Data) != nil:
		return r, failf(statusFailed, "An error :-)")
	}
	return r, nil
}

// showConnected prints the answer, and the answer to a second query. In ip(8) the second
// query is the same as the first, and its answer is always text.
func (q *query) showConnected(r route.Route) error {
	if err := q.p.showRoutes([]route.Route{r}, 0); err != nil {
		return err
	}
	if !r.PrefSrc.IsValid() && !r.Src.IsValid() {
		return failf(statusFailed, "Failed to connect the route")
	}
	r, err := q.ask()
	if err != nil {
		return err
	}
	text := *q.p
	text.style.JSON = false
	return text.showRoutes([]route.Route{r}, 0)
}
