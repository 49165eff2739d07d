package rule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// Add adds a rule, as "ip rule add" does: RTM_NEWRULE with NLM_F_CREATE and
// NLM_F_EXCL. Unset fields get defaults: the family of the addresses or IPv4,
// and the action lookup, or goto if Goto is set.
//
// The error is fs.ErrExist if the same rule already exists: one whose [Rule.Canonical]
// form has the same value in every field but Flags. With NLM_F_EXCL, the kernel also
// refuses some rules that do not exist: if From, To, TOS, DSCP, FlowLabel or Realms are
// unset in the new rule, the kernel ignores them in the comparison, and it never
// compares Not, Goto and the masks of ports. After a refusal, Add lists the rules. If
// none of them is the same, Add adds the rule without NLM_F_EXCL. If many of the rules
// to add may exist, use [AddAll] or a [Batch], which list the rules once.
//
// The error is fs.ErrPermission without CAP_NET_ADMIN.
//
// Kernels accept and ignore attributes that they do not know. If the rule has a
// selector that is newer than Linux 4.20, or has [Rule.Unknown], Add therefore
// compares it with the rule that the kernel made. If they differ, Add deletes the
// rule that the kernel made, and the error is errors.ErrUnsupported.
//
// Add refuses two kinds of rules, and sends no request for them, because the kernel
// would accept them with another meaning. One is a lookup without a table: for IPv4 the
// kernel chooses an unused table. The other is a From or To with a prefix length of 0
// and an address: the kernel ignores the address.
func Add(ctx context.Context, c route.Conn, r Rule) error {
	r.setDefaults()
	err := r.check()
	if err == nil {
		err = r.add(ctx, c, netlink.Excl)
	}
	if errors.Is(err, syscall.EEXIST) {
		errs := []error{err}
		addDespite(ctx, c, []Rule{r}, errs)
		err = errs[0]
	}
	return fail("add", r, err)
}

// add sends one request to add r, whose defaults are filled in. The flag is
// NLM_F_EXCL or none.
func (r Rule) add(ctx context.Context, c route.Conn, flag netlink.HeaderFlags) error {
	if names := r.newAttributes(); names != "" {
		return addVerified(ctx, c, r, names, flag)
	}
	return write(ctx, c, uapi.RTM_NEWRULE, netlink.Create|flag, r)
}

// newAttributes names the attributes of r that are newer than strict checking,
// which every supported kernel has. Attributes that this package does not know are
// among them.
func (r *Rule) newAttributes() string {
	if r.DSCP == (CodePoint{}) && r.FlowLabel == (Label{}) && !r.SPort.hasMask && !r.DPort.hasMask &&
		r.Unknown == "" {
		return "" // most rules
	}
	var names []string
	for _, x := range []struct {
		set  bool
		attr uapi.FRA
	}{
		{r.DSCP.m.set, uapi.FRA_DSCP}, {r.DSCP.m.hasMask, uapi.FRA_DSCP_MASK},
		{r.FlowLabel.IsSet(), uapi.FRA_FLOWLABEL},
		{r.SPort.hasMask, uapi.FRA_SPORT_MASK}, {r.DPort.hasMask, uapi.FRA_DPORT_MASK},
	} {
		if x.set {
			names = append(names, x.attr.String())
		}
	}
	for num := range attr.All(codec.WithoutZeros(string(r.Unknown))) {
		names = append(names, uapi.FRA(num).String())
	}
	return strings.Join(names, ", ")
}

// addVerified adds r and compares it with the rule that the kernel reports to have
// added. names are the new attributes of r. The flag is NLM_F_EXCL or none.
func addVerified(ctx context.Context, c route.Conn, r Rule, names string, flag netlink.HeaderFlags) error {
	// With NLM_F_ACK, *netlink.Conn would leave the acknowledgement in the socket.
	// A refusal comes without NLM_F_ACK, too.
	msgs, err := send(ctx, c, uapi.RTM_NEWRULE, netlink.Create|flag|netlink.Echo, r)
	if err != nil {
		return err
	}
	for _, msg := range msgs {
		var reported Rule
		if msg.Header.Type != uapi.RTM_NEWRULE {
			continue
		}
		if err := reported.read(msg.Data); err != nil {
			return err
		}
		got := reported
		got.normalizeListed()
		want := r.Canonical()
		if sameAttributes(got.Unknown, want.Unknown) {
			want.Unknown = got.Unknown // the kernel may have changed the payloads
		}
		if !got.equals(want) {
			err := fmt.Errorf("the kernel does not know %s: %w", names, errors.ErrUnsupported)
			if e := Delete(context.WithoutCancel(ctx), c, got); e != nil {
				return errors.Join(err, e)
			}
			return rtnl.NotSent(err)
		}
	}
	return nil
}

// equals reports whether r, from a listing, is want, whose priority can be unset
// for any. Flags, which only the kernel sets, do not count.
func (r Rule) equals(want Rule) bool {
	r.Flags, want.Flags = 0, 0
	if !want.Priority.IsSet() {
		r.Priority = want.Priority
	}
	return r == want
}

// sameAttributes reports whether a and b are attributes of the same numbers.
func sameAttributes(a, b route.Attributes) bool {
	var numbers [2][]uint16
	for i, x := range [...]route.Attributes{a, b} {
		for num := range x.All() {
			numbers[i] = append(numbers[i], num)
		}
	}
	return slices.Equal(numbers[0], numbers[1])
}

var errNoTable = errors.New("the action lookup needs a table")

// check returns why r must not be added, or nil.
func (r *Rule) check() error {
	switch {
	case r.Action == ActionLookup && r.Table == rttables.Unspec && !r.L3MDev:
		return errNoTable
	case r.From.IsValid() && r.From.Bits() == 0 && !r.From.Addr().IsUnspecified():
		return fmt.Errorf("from %s matches every packet: use the length %d for a single address", r.From, r.From.Addr().BitLen())
	case r.To.IsValid() && r.To.Bits() == 0 && !r.To.Addr().IsUnspecified():
		return fmt.Errorf("to %s matches every packet: use the length %d for a single address", r.To, r.To.Addr().BitLen())
	}
	return nil
}

// write sends one request about r, and waits for the acknowledgement.
func write(ctx context.Context, c route.Conn, typ netlink.HeaderType, flags netlink.HeaderFlags, r Rule) error {
	_, err := send(ctx, c, typ, flags|netlink.Acknowledge, r)
	return err
}

func send(ctx context.Context, c route.Conn, typ netlink.HeaderType, flags netlink.HeaderFlags, r Rule) (
	[]netlink.Message, error,
) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := r.request(typ, flags)
	if err != nil {
		return nil, err
	}
	msgs, err := c.Execute(m)
	if err != nil {
		return nil, &refusal{attr: rtnl.AttrAt(err, m.Data, uapi.SizeofFibRuleHdr, codec.Name), err: err}
	}
	return msgs, nil
}

// request returns the message for a verb.
func (r Rule) request(typ netlink.HeaderType, flags netlink.HeaderFlags) (netlink.Message, error) {
	b, err := r.append(nil)
	if err == nil && typ == uapi.RTM_DELRULE {
		r.markLargeTable(b)
	}
	return netlink.Message{Header: netlink.Header{Type: typ, Flags: netlink.Request | flags}, Data: b}, err
}

// markLargeTable says in the header of a request to delete r, which is b, that the table
// is in an attribute. Kernels before 4.18 do not look there if the header says 0.
func (r *Rule) markLargeTable(b []byte) {
	if r.Table > 255 {
		b[uapi.FibRuleHdrTable] = uapi.RT_TABLE_COMPAT
	}
}

// A refusal is an error from the kernel, with the attribute that it points at.
type refusal struct {
	attr string
	err  error
}

func (e *refusal) Error() string { return e.err.Error() }
func (e *refusal) Unwrap() error { return e.err }

// fail returns the error for a verb on a rule.
func fail(verb string, r Rule, err error) error {
	if err == nil {
		return nil
	}
	e := &rtnl.Error{Package: "rule", Verb: verb, Object: r.object(), Err: err}
	var ref *refusal
	if errors.As(err, &ref) {
		e.Attr, e.Err = ref.attr, ref.err
	}
	return e
}
