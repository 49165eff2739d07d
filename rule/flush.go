package rule

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// flushRounds bounds how often a flush looks again, so that one which others
// work against comes to an end.
const flushRounds = 10

var errFlush = fmt.Errorf("there are still rules after %d rounds: someone adds them", flushRounds)

// Flush deletes the rules that f selects, and returns how many. Like "ip rule
// flush" it leaves those with the priority 0, of which the one for the table
// local is, unless f selects that priority. It looks again until there are
// none: the kernel counts while it lists, and a listing misses rules when
// others are deleted.
//
// A rule that the kernel would take another one for is refused, as by [Delete].
// Rules that others delete meanwhile are no error. On an error some rules may
// be deleted.
func Flush(ctx context.Context, c route.Conn, f Filter) (n int, err error) {
	for range flushRounds {
		var rules []Rule
		if rules, err = flushable(ctx, c, f); err != nil || len(rules) == 0 {
			break
		}
		var deleted int
		if deleted, err = deleteAll(ctx, c, rules); err != nil {
			n += deleted
			break
		}
		n += deleted
		err = errFlush
	}
	if err != nil {
		return n, &rtnl.Error{Package: "rule", Verb: "flush", Err: err}
	}
	return n, nil
}

// flushable lists what f selects, and refuses what cannot be deleted without
// others.
func flushable(ctx context.Context, c route.Conn, f Filter) ([]Rule, error) {
	var (
		rules  []Rule
		others []Rule // at the priority of the rule that is being looked at
	)
	for r, err := range All(ctx, c, Filter{Family: f.Family}) {
		if err != nil {
			return nil, err
		}
		if len(others) > 0 && (others[0].Priority != r.Priority || others[0].Family != r.Family) {
			others = others[:0]
		}
		if !f.match(&r) || r.Priority == Priority(0) && !f.Priority.IsSet() || r.Flags&FlagPermanent != 0 {
			others = append(others, r)
			continue
		}
		for _, o := range others {
			if r.matchesInKernel(&o) {
				return nil, fmt.Errorf("%q: the kernel would delete %q, which stands before it", r.object(), o.object())
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// deleteAll deletes rules in their order, which is the quick one.
func deleteAll(ctx context.Context, c route.Conn, rules []Rule) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	reqs := make([]netlink.Message, len(rules))
	for i, r := range rules {
		if reqs[i], err = r.request(uapi.RTM_DELRULE, 0); err != nil {
			return 0, err
		}
	}
	errs, err := rtnl.Send(c, reqs)
	if err != nil {
		return 0, err
	}
	for i, e := range errs {
		switch {
		case e == nil:
			n++
		case !errors.Is(e, syscall.ENOENT) && err == nil:
			err = fmt.Errorf("%q: %s: %w", rules[i].object(), rtnl.Reason(e), e)
		}
	}
	return n, err
}
