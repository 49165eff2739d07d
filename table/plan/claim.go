package plan

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// claims returns how many of the first steps claim tables.
func claims(steps []Step) int {
	n := 0
	for n < len(steps) && steps[n].isClaim() {
		n++
	}
	return n
}

// claim claims tables. It fails with fs.ErrExist if one of them is in use: another program
// has taken it since the plan was made.
func (r *run) claim(ctx context.Context, steps []Step) error {
	for i := range steps {
		if err := r.step(ctx, &steps[i]); err != nil {
			return &failure{&steps[i], err}
		}
	}
	for i := range steps {
		if err := checkRoutes(ctx, r.c, steps[i].Route.Table); err != nil {
			return &failure{&steps[i], err}
		}
	}
	return checkRules(ctx, r.c, steps)
}

// checkRoutes fails if a table has a route other than the claim.
func checkRoutes(ctx context.Context, c route.Conn, id rttables.ID) error {
	for r, err := range route.All(ctx, c, route.Filter{Table: id}) {
		if err != nil {
			return err
		}
		if !form.IsClaim(&r) {
			return fmt.Errorf("another program has added a route to table %d: %w", uint32(id), fs.ErrExist)
		}
	}
	return nil
}

// checkRules fails if a rule looks up one of the tables that steps have claimed. The kernel
// does not select rules by their tables, so this is one listing for all tables.
func checkRules(ctx context.Context, c route.Conn, steps []Step) error {
	claimed := make(map[rttables.ID]*Step, len(steps))
	for i := range steps {
		claimed[steps[i].Route.Table] = &steps[i]
	}
	for r, err := range rule.All(ctx, c, rule.Filter{}) {
		if err != nil {
			return &failure{&steps[0], err}
		}
		if s := claimed[r.Table]; s != nil {
			return &failure{s, fmt.Errorf("a rule of another program, %s, looks up table %d: %w", r, uint32(r.Table), fs.ErrExist)}
		}
	}
	return nil
}
