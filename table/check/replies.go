package check

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/policyroute/policyroute/internal/conntrack"
	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/plan"
	"github.com/policyroute/policyroute/table/reply"
)

// ReplyFacts are what nf_tables and connection tracking have, and what the policy for answers
// still needs.
type replyFacts struct {
	asked     bool
	policy    reply.Policy
	installed bool // there is a table of the policy
	todo      plan.Plan
	refused   error // why the policy cannot be installed
	untracked error // why connections cannot be listed
	rules     []nft.Rule
}

// readReplies reads what findings about answers need. Without CAP_NET_ADMIN nothing of that can
// be read, which is noted if there is to be a policy.
func (f *facts) readReplies(ctx context.Context, c route.Conn, uplinks []Uplink) {
	r := &f.replies
	if f.config.Reply != nil {
		r.policy = *f.config.Reply
	}
	r.asked = len(r.policy.UDP) > 0 || r.policy.Forwarded || slices.ContainsFunc(uplinks, func(u Uplink) bool { return u.Masquerade })
	err := f.readTables(ctx, c)
	if err == nil && r.asked {
		f.planReplies(ctx, c, uplinks)
	}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		r.refused = err
	case err != nil && r.asked:
		f.unread = append(f.unread, fmt.Sprintf("nf_tables could not be read: %v", err))
	}
}

// readTables reads the rules of nf_tables, and tries to list connections.
func (f *facts) readTables(ctx context.Context, c route.Conn) error {
	conn, err := nft.DialLike(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	all, err := nft.ReadHost(ctx, conn, nft.AnyFamily)
	if err != nil {
		return err
	}
	for _, t := range all.Tables {
		f.replies.installed = f.replies.installed || isReplyTable(t.Family, t.Name)
	}
	f.replies.rules = all.Rules
	if r := &f.replies; r.asked {
		for _, err := range conntrack.All(ctx, conn, conntrack.Filter{}) {
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				r.untracked = err
			}
			break
		}
	}
	return nil
}

func isReplyTable(f nft.Family, name string) bool { return f == nft.Inet && name == reply.TableName }

// planReplies works out what the policy still needs, for the uplinks that are installed.
func (f *facts) planReplies(ctx context.Context, c route.Conn, uplinks []Uplink) {
	var members []reply.Uplink
	for i, u := range uplinks {
		id := f.uplinks[i].installed.table()
		if id == 0 || f.uplinks[i].index == 0 {
			continue
		}
		member := reply.Uplink{SourceRoutedUplink: u.SourceRoutedUplink, Masquerade: u.Masquerade}
		member.Table = id
		members = append(members, member)
	}
	members = append(members, f.config.ReplyUplinks...)
	r := &f.replies
	for {
		r.todo, r.refused = reply.PlanSync(ctx, c, r.policy, members...)
		var field *plan.FieldError
		if !errors.As(r.refused, &field) || field.Uplink == "" {
			return
		}
		left := slices.DeleteFunc(slices.Clone(members), func(u reply.Uplink) bool { return u.String() == field.Uplink })
		if len(left) == len(members) {
			return
		}
		members = left
	}
}

// covers reports whether the policy is about the UDP servers on a port.
func (r *replyFacts) covers(port uint16) bool {
	for _, ports := range r.policy.UDP {
		if ports.First() <= port && port <= ports.Last() {
			return true
		}
	}
	return false
}

// checkReplies finds faults of the policy for answers.
func (e *examiner) checkReplies() []Finding {
	r := &e.replies
	if !r.asked {
		return nil
	}
	var found []Finding
	add := func(code Code, severity Severity, object, text, cure string) {
		found = append(found, Finding{Code: code, Severity: severity, Object: object, Text: text, Cure: cure})
	}
	const object = "table inet " + reply.TableName
	switch {
	case r.refused != nil:
		var field *plan.FieldError
		var conflict *plan.ConflictError
		reason := r.refused.Error()
		if errors.As(r.refused, &field) {
			reason = field.InWords()
		} else if errors.As(r.refused, &conflict) {
			reason = conflict.InWords()
		}
		add(CodeReplyAbsent, Fault, object, "the policy of the lines reply and of masquerade cannot be installed: "+reason, "correct what the text says, and then uplinks up")
	case r.todo.Empty():
	case !r.installed:
		add(CodeReplyAbsent, Fault, object, "nothing of the lines reply and of masquerade is installed: answers can leave by another uplink", "uplinks up")
	default:
		s := &r.todo.Steps[0]
		add(CodeReplyChanged, Fault, r.todo.Object(s), "the rules for answers differ from what the lines reply and masquerade say: another program has changed them, or the file has changed", "uplinks up")
	}
	if r.untracked != nil && r.refused == nil {
		add(CodeUntracked, Warning, "nf_conntrack", fmt.Sprintf("connections cannot be listed (%v): when an uplink with masquerade fails, its connections are not ended", r.untracked),
			"modprobe nf_conntrack_netlink")
	}
	return append(found, e.checkMarks()...)
}

// checkMarks finds rules of other programs that change the bits of the policy's marks.
func (e *examiner) checkMarks() []Finding {
	r := &e.replies
	if !r.policy.Forwarded {
		return nil
	}
	mask := cmp.Or(r.policy.Mask, reply.DefaultMask)
	var found []Finding
	seen := make(map[string]bool)
	for i := range r.rules {
		rule := &r.rules[i]
		place := placeOf(rule)
		if bits := changedMarks(rule.Exprs) & mask; bits != 0 && !seen[place] && !isReplyTable(rule.Family, rule.Table) {
			seen[place] = true
			found = append(found, Finding{
				Code: CodeMarkConflict, Severity: Warning, Object: place,
				Text: fmt.Sprintf("a rule there changes bits %#x of marks, which belong to the line reply forwarded: packets can lose the mark of their uplink", bits),
				Cure: "give the line other bits, such as reply forwarded mark 0x100/0xf00, or change the other rule so that it keeps these bits",
			})
		}
	}
	return found
}

// placeOf returns the table and the chain of a rule.
func placeOf(r *nft.Rule) string {
	return fmt.Sprintf("table %s %s chain %s", r.Family, r.Table, r.Chain)
}

// A markSource is what a register has, if it is a mark.
type markSource struct {
	ofConnection bool
	changed      uint32 // the bits that are not those of the mark any more
}

// changedMarks returns the bits of packets' or connections' marks that a rule changes.
func changedMarks(exprs []nft.Expr) (bits uint32) {
	registers := make(map[nft.Register]markSource)
	set := func(from nft.Register, ofConnection bool) {
		if s, ok := registers[from]; ok && s.ofConnection == ofConnection {
			bits |= s.changed
		} else {
			bits = ^uint32(0) // a value from elsewhere, as a whole
		}
	}
	for _, x := range exprs {
		switch x := x.(type) {
		case nft.Meta:
			switch {
			case x.Key == nft.MetaMark && x.Source != 0:
				set(x.Source, false)
			case x.Key == nft.MetaMark:
				registers[x.Dest] = markSource{}
			default:
				delete(registers, x.Dest)
			}
		case nft.CT:
			switch {
			case x.Key == nft.CTMark && x.Source != 0:
				set(x.Source, true)
			case x.Key == nft.CTMark:
				registers[x.Dest] = markSource{ofConnection: true}
			default:
				delete(registers, x.Dest)
			}
		case nft.Bitwise:
			s, ok := registers[x.Source]
			delete(registers, x.Dest)
			if ok && len(x.Mask) == 4 && len(x.XOR) == 4 {
				s.changed |= ^native32(x.Mask) | native32(x.XOR)
				registers[x.Dest] = s
			}
		case nft.Immediate:
			delete(registers, x.Dest)
		case nft.Target:
			bits |= changedByTarget(&x)
		}
	}
	return bits
}

// changedByTarget returns the bits of marks that a target of iptables changes: the structs are
// xt_mark_tginfo2 and xt_connmark_tginfo1.
func changedByTarget(x *nft.Target) uint32 {
	switch {
	case x.Target == "MARK" && len(x.Info) >= 8:
		return native32(x.Info) | native32(x.Info[4:])
	case x.Target == "CONNMARK" && len(x.Info) >= 12:
		const save, restore = 1, 2
		mode := byte(0)
		if len(x.Info) > 12 {
			mode = x.Info[12]
		}
		switch value, connection, packet := native32(x.Info), native32(x.Info[4:]), native32(x.Info[8:]); mode {
		case save, restore:
			return connection | packet
		default:
			return value | connection
		}
	}
	return 0
}

func native32(s string) uint32 { return binary.NativeEndian.Uint32([]byte(s)) }

// isPublishing reports whether a rule translates the destination of packets to that of another
// host.
func isPublishing(r *nft.Rule) bool {
	return slices.ContainsFunc(r.Exprs, func(x nft.Expr) bool {
		switch x := x.(type) {
		case nft.NAT:
			return x.Type == nft.DestNAT && x.AddrMin != 0
		case nft.Target:
			return x.Target == "DNAT"
		}
		return false
	})
}

// checkPublished finds rules that publish ports (DNAT), if answers do not leave by the uplink
// that the question came by.
func (e *examiner) checkPublished(u *subject) []Finding {
	if e.replies.policy.Forwarded || u.installed.table() == 0 {
		return nil
	}
	var places []string
	n := 0
	for i := range e.replies.rules {
		if r := &e.replies.rules[i]; isPublishing(r) && !isReplyTable(r.Family, r.Table) {
			n++
			if place := placeOf(r); !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	if n == 0 {
		return nil
	}
	for _, f := range u.families {
		r, ok := e.answers[defaultAnswer(f)]
		if !ok || r.OIF == u.index || e.isMarked(f, u.installed.table()) {
			continue
		}
		return []Finding{{
			Code: CodePublishedAddress, Severity: Warning, Object: places[0],
			Text: fmt.Sprintf("%d rules there and in other chains publish ports (DNAT): answers to clients that came in by %s leave by %s",
				n, u.spec.Interface, e.outOf(&outcome{true, r})),
			Cure: "add the line reply forwarded",
		}}
	}
	return nil
}

// defaultAnswer returns the lookup of a packet without a source.
func defaultAnswer(f route.Family) route.Query {
	return inTable(route.Query{Dst: internetAddrs[f]})
}

// checkValidMark finds uplinks whose strict reverse path filter drops packets that the line
// reply forwarded is about, because it does not look at their mark.
func (e *examiner) checkValidMark(u *subject) []Finding {
	dev := u.spec.Interface
	if !e.replies.policy.Forwarded || !e.system.isStrict(dev) || !u.inFamily(route.IPv4) ||
		max(e.system.conf[dev].sourceMark, e.system.conf["all"].sourceMark) != 0 {
		return nil
	}
	if r, ok := e.answers[defaultAnswer(route.IPv4)]; !ok || r.OIF == u.index {
		return nil // which is the way that the filter expects
	}
	return []Finding{{
		Code: CodeValidMark, Severity: Warning, Object: dev,
		Text: fmt.Sprintf("rp_filter of %s is strict and ignores marks: the kernel drops packets to published ports that come in by %s", dev, dev),
		Cure: "sysctl -w net.ipv4.conf.all.src_valid_mark=1",
	}}
}
