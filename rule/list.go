package rule

import (
	"context"
	"iter"
	"slices"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A Filter selects the rules of a listing. A field that is zero selects any.
type Filter struct {
	// Family restricts the listing to one family, in the kernel. Zero selects IPv4 and
	// IPv6. Rules of multicast routing are selected only by the families [route.IPMR] and
	// [route.IP6MR].
	Family   route.Family
	Table    rttables.ID
	Protocol route.Protocol
	Priority route.Opt[uint32]
}

func (f *Filter) match(r *Rule) bool {
	return (f.Family == r.Family || f.Family == 0 && (r.Family == route.IPv4 || r.Family == route.IPv6)) &&
		(f.Table == 0 || f.Table == r.Table) &&
		(f.Protocol == 0 || f.Protocol == r.Protocol) &&
		(!f.Priority.IsSet() || f.Priority == r.Priority)
}

// All yields the rules that f selects, in the kernel's order and family by family
// (a dump with RTM_GETRULE), without collecting them. They are in the form of
// [Rule.Canonical], with the priority set. An error is the last value. The loop
// may use c, and may end early.
//
// If a rule is deleted during the listing, by the loop or by anyone else, the
// kernel can leave out another rule that still exists. To delete in a loop,
// iterate over the result of [List].
func All(ctx context.Context, c route.Conn, f Filter) iter.Seq2[Rule, error] {
	return func(yield func(Rule, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Rule{}, listError(err))
			return
		}
		// This is dump, through which each rule would take a tenth longer.
		r := new(Rule)
		for m, err := range rtnl.Dump(c, dumpRequest(f.Family)) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && m.Header.Type == uapi.RTM_NEWRULE {
				*r = Rule{}
				if err = r.read(m.Data); err == nil {
					if r.normalizeListed(); f.match(r) && !yield(*r, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(Rule{}, listError(err))
				return
			}
		}
	}
}

// dump yields the rules of a family as the kernel reports them. The pointer is
// the same every time.
func dump(ctx context.Context, c route.Conn, family route.Family) iter.Seq2[*Rule, error] {
	return func(yield func(*Rule, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		r := new(Rule)
		for m, err := range rtnl.Dump(c, dumpRequest(family)) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && m.Header.Type == uapi.RTM_NEWRULE {
				*r = Rule{}
				if err = r.read(m.Data); err == nil && !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// dumpRequest returns the request for a listing of a family.
func dumpRequest(family route.Family) netlink.Message {
	header := make([]byte, uapi.SizeofFibRuleHdr)
	header[uapi.FibRuleHdrFamily] = uint8(family)
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETRULE, Flags: netlink.Request | netlink.Dump},
		Data:   header,
	}
}

func listError(err error) error {
	return &rtnl.Error{Package: "rule", Verb: "list", Err: err}
}

// List returns the rules that f selects. See [All].
func List(ctx context.Context, c route.Conn, f Filter) ([]Rule, error) {
	if err := ctx.Err(); err != nil {
		return nil, listError(err)
	}
	// The number of rules is known only at the end. Until then, messages are kept,
	// which are smaller than Rules.
	var s rtnl.Spool
	for m, err := range rtnl.Dump(c, dumpRequest(f.Family)) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, listError(err)
		}
		if m.Header.Type == uapi.RTM_NEWRULE {
			s.Add(m.Data)
		}
	}
	if s.Len() == 0 {
		return nil, nil
	}
	rules, n := make([]Rule, s.Len()), 0
	for payload := range s.All() {
		r := &rules[n]
		if err := r.read(payload); err != nil {
			return nil, listError(err)
		}
		if r.normalizeListed(); f.match(r) {
			n++
		} else {
			*r = Rule{}
		}
	}
	if rules = rules[:n]; n <= cap(rules)/2 {
		rules = slices.Clone(rules) // f selects few of them
	}
	return rules, nil
}
