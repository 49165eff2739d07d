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
	// Family restricts the listing to one family, in the kernel. Zero lists
	// those of multicast routing as well, which are not IPv4's and IPv6's.
	Family   route.Family
	Table    rttables.ID
	Protocol route.Protocol
	Priority route.Opt[uint32]
}

func (f *Filter) match(r *Rule) bool {
	return (f.Family == 0 || f.Family == r.Family) &&
		(f.Table == 0 || f.Table == r.Table) &&
		(f.Protocol == 0 || f.Protocol == r.Protocol) &&
		(!f.Priority.IsSet() || f.Priority == r.Priority)
}

// All yields the rules that f selects, in their order (a dump with
// RTM_GETRULE), without collecting them; of several families, one after the
// other. They are in the form of [Rule.Canonical], with the priority set. An
// error comes last. The loop may use c, and may end early.
//
// The kernel counts while it lists: a rule that is deleted meanwhile, also by
// the loop itself, can hide another one, which is still there. A loop that
// deletes is over the result of [List].
func All(ctx context.Context, c route.Conn, f Filter) iter.Seq2[Rule, error] {
	return func(yield func(Rule, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(Rule{}, listError(err))
			return
		}
		// As dump, through which each rule would take a tenth longer.
		r := new(Rule)
		for m, err := range rtnl.Dump(c, dumpRequest(f.Family)) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && m.Header.Type == uapi.RTM_NEWRULE {
				*r = Rule{}
				if err = r.read(m.Data); err == nil {
					if r.toListed(); f.match(r) && !yield(*r, nil) {
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

// dump yields the rules of a family as they come. It is the same one every
// time.
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

// dumpRequest asks for the rules of a family.
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
	// How many there are is known only at the end. Messages are smaller than
	// Rules, and so what is kept until then.
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
		if r.toListed(); f.match(r) {
			n++
		} else {
			*r = Rule{}
		}
	}
	if rules = rules[:n]; n <= cap(rules)/2 {
		rules = slices.Clone(rules) // most were others
	}
	return rules, nil
}
