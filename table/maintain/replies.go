package maintain

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// replyLabel is the name of the policy for answers in events.
const replyLabel = "(reply)"

// replySubject is the subject of events about the policy for answers.
var replySubject = subject{label: replyLabel, owner: plan.NoOwner}

// Replies are the policy for answers that is maintained, and the facts that are known of it.
type replies struct {
	wanted *reply.Policy // nil: none, unless an uplink has Masquerade
	// watch listens to nf_tables while the policy is maintained. Nil: it does not.
	watch    *replyWatch
	reported lastReport
	again    time.Time // when to look at it again; zero: not without a reason
}

// asksForReplies reports whether there is to be a policy for answers.
func (m *maintainer) asksForReplies() bool {
	p := m.replies.wanted
	return p != nil && (len(p.UDP) > 0 || p.Forwarded) || slices.ContainsFunc(m.uplinks, func(k *maintainedUplink) bool { return k.Masquerade })
}

// replyPolicy returns the policy that is wanted.
func (m *maintainer) replyPolicy() reply.Policy {
	if m.replies.wanted == nil {
		return reply.Policy{}
	}
	return *m.replies.wanted
}

// keepReplies maintains the policy for answers. It comes after the uplinks have been checked,
// and before those that leave are removed. The error readErr is why the host could not be
// read.
func (m *maintainer) keepReplies(ctx context.Context, causes cause, readErr error) {
	s := &m.replies
	if ctx.Err() != nil || m.conn == nil {
		return
	}
	if !m.asksForReplies() {
		m.removeReplies(ctx, causes)
		return
	}
	o := outcome{subject: replySubject, causes: causes, err: readErr}
	if o.err == nil {
		o.err = m.watchReplies(ctx)
	}
	admitted := true
	if o.err == nil {
		o.plan, o.waits, admitted, o.err = m.repairReplies(ctx, causes)
	}
	if admitted && (o.err == nil || ctx.Err() == nil) {
		s.reported = m.report(s.reported, o)
		soonest(&s.again, s.reported.retryIn())
	}
}

// repairReplies installs what is missing of the policy. It does nothing, and returns that the
// repair was not admitted, if there were too many repairs.
func (m *maintainer) repairReplies(ctx context.Context, causes cause) (p plan.Plan, waits string, admitted bool, err error) {
	p, waits, err = m.planReplies(ctx)
	if err != nil || p.Empty() {
		return p, waits, true, err
	}
	isRepair := causes&causesOwn == 0 && m.replies.reported.kind == EventInstalled
	if isRepair && !m.admitRepairOf(replySubject, p, &m.replies.again, m.replies.watch.opponent) {
		return p, waits, false, nil
	}
	err = m.locked(ctx, func(ctx context.Context) error {
		if p, waits, err = m.planReplies(ctx); err != nil {
			return err
		}
		m.reading = nil
		return p.ApplyLocked(ctx, m.conn)
	})
	if err == nil && !p.Empty() {
		m.counters.addRepair(p)
	}
	return p, waits, true, err
}

// planReplies returns the steps that the policy needs now. An uplink that is not valid on the
// host at the moment is left out.
func (m *maintainer) planReplies(ctx context.Context) (p plan.Plan, waits string, err error) {
	if m.reading == nil {
		if err := m.ensureReading(ctx); err != nil {
			return p, "", err
		}
	}
	members := m.replyMembers()
	for {
		p, err = reply.PlanSync(ctx, m.conn, m.replyPolicy(), members...)
		var field *plan.FieldError
		if !errors.As(err, &field) || field.Uplink == "" {
			break
		}
		left := slices.DeleteFunc(slices.Clone(members), func(u reply.Uplink) bool { return u.String() == field.Uplink })
		if len(left) == len(members) {
			break
		}
		members = left
	}
	for i := range p.Steps { // they are steps of no single uplink
		p.Steps[i].Owner, p.Steps[i].Uplink = plan.NoOwner, ""
	}
	if len(members) == 0 {
		waits = "no uplink is installed"
	}
	return p, waits, err
}

// replyMembers returns the uplinks that are installed, with their tables and the sources that
// the host has.
func (m *maintainer) replyMembers() []reply.Uplink {
	var all []reply.Uplink
	for _, k := range m.uplinks {
		if _, exists := m.reading.now.Link(k.Interface); !exists || k.memory.table == 0 {
			continue
		}
		u := reply.Uplink{SourceRoutedUplink: table.SourceRoutedUplink(*k.currentSpec()), Masquerade: k.Masquerade}
		u.Table = k.memory.table
		if k.spec().TakesAll() && len(k.memory.sources) > 0 {
			u.Sources = slices.DeleteFunc(slices.Clone(k.memory.sources), func(a netip.Addr) bool {
				return !m.reading.now.IsLocal(a)
			})
			if len(u.Sources) == 0 {
				continue
			}
		}
		all = append(all, u)
	}
	return all
}

// removeReplies removes a policy that is no longer wanted, or that an earlier process has
// left.
func (m *maintainer) removeReplies(ctx context.Context, causes cause) {
	s := &m.replies
	if s.reported.kind == 0 && causes&(causeStart|causeUpdate) == 0 && s.again.IsZero() {
		return
	}
	s.stopWatch()
	var p plan.Plan
	left, err := m.leftReplies(ctx)
	if err == nil && left {
		p, err = m.deleteReplies(ctx)
	}
	switch {
	case err != nil && ctx.Err() != nil:
	case err != nil:
		s.reported = m.report(s.reported, outcome{subject: replySubject, causes: causes, err: err})
		soonest(&s.again, s.reported.retryIn())
	default:
		if !p.Empty() || s.reported.kind != 0 {
			e := replySubject.event(EventRemoved)
			e.Plan = p
			m.send(e)
		}
		s.reported, s.again = lastReport{}, time.Time{}
	}
}

// leftReplies reports whether something of a policy for answers is installed. A table that
// another program has given the same name is not.
func (m *maintainer) leftReplies(ctx context.Context) (bool, error) {
	if err := m.ensureReading(ctx); err != nil {
		return false, err
	}
	if m.reading != nil {
		for _, f := range form.Families {
			if m.reading.now.Rules(f).Of(reply.Protocol).Len() > 0 {
				return true, nil
			}
		}
	}
	c, err := nft.DialLike(m.conn)
	if errors.Is(err, errors.ErrUnsupported) { // there is no nf_tables
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer c.Close()
	now, err := nft.Read(ctx, c, nft.Inet, reply.TableName)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return err == nil && now.Found && reply.IsOwn(now.Table.Comment), err
}

// deleteReplies deletes what is installed of a policy for answers, and returns the steps.
func (m *maintainer) deleteReplies(ctx context.Context) (plan.Plan, error) {
	p, err := reply.PlanRemove(ctx, m.conn)
	if err != nil || p.Empty() {
		return p, err
	}
	err = m.locked(ctx, func(ctx context.Context) error {
		if p, err = reply.PlanRemove(ctx, m.conn); err != nil {
			return err
		}
		m.reading = nil
		return p.ApplyLocked(ctx, m.conn)
	})
	if err == nil {
		m.counters.addRepair(p)
	}
	return p, err
}
