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

// flushRounds is how often a flush lists the rules, at most, so that it ends even
// if another program keeps adding rules.
const flushRounds = 10

var errFlush = fmt.Errorf("there are still rules after %d rounds: another program adds rules", flushRounds)

// Flush deletes the rules that f selects, and returns their number. Like "ip rule
// flush" it keeps the rules with the priority 0, such as the rule for the table
// local, unless f selects that priority. It repeats until a listing is empty,
// since a listing can miss rules if other rules are deleted at the same time.
//
// As with [Delete], a rule is refused if the kernel would delete another one
// instead. It is no error if another process deletes a rule first. After an
// error, some rules may have been deleted.
func Flush(ctx context.Context, c route.Conn, f Filter) (n int, err error) {
	for range flushRounds {
		var rules []Rule
		if rules, err = listToFlush(ctx, c, f); err != nil || len(rules) == 0 {
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

// listToFlush lists the rules that f selects. It is an error if the kernel would
// delete another rule instead of one of them.
func listToFlush(ctx context.Context, c route.Conn, f Filter) ([]Rule, error) {
	var (
		rules  []Rule
		others []Rule // not selected, and at the priority of the present rule
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
			if r.couldDelete(&o) {
				return nil, fmt.Errorf("%q: the kernel would delete %q, which comes before it", r.object(), o.object())
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// deleteAll deletes rules in their order, in which the kernel is fastest.
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
