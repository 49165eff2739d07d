// Package rule adds, deletes and lists the rules of the Linux routing policy
// database, as "ip rule" does.
//
// A [Rule] is a plain value: its fields are the selectors and actions of ip-rule(8),
// its zero fields are unset, and rules compare with ==. The verbs of "ip rule" are
// functions that take a [route.Conn]:
//
//	c, err := route.Dial(nil)
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	r := rule.Rule{
//		From:     netip.MustParsePrefix("192.168.2.2/32"),
//		Table:    20,
//		Priority: rule.Priority(1000),
//	}
//	if err := rule.Add(ctx, c, r); err != nil && !errors.Is(err, fs.ErrExist) {
//		return err
//	}
//	for r, err := range rule.All(ctx, c, rule.Filter{Table: 20}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(r) // 1000: from 192.168.2.2 lookup 20
//	}
//
// The text of a rule is its words in ip-rule(8). [Parse] reads these words, and
// [Rule.String] returns them, without loss. In JSON, a Rule is one string of these
// words. AppendBinary and UnmarshalBinary do the same for rtnetlink messages.
// Attributes of a newer kernel are kept in [Rule.Unknown].
//
// # What the kernel does
//
// The kernel looks at rules of the same priority in the order in which they were
// added. Two rules can have the same value in every field.
//
// The kernel's add request treats some missing fields as wildcards. If "from 192.168.2.2
// lookup 20" exists, the kernel refuses to add "from all lookup 20" at the same priority,
// as if that rule already existed. [Add] adds the rule anyway; ip(8) cannot.
//
// There is no request that replaces a rule. To change one, add the new one and
// then delete the old one.
//
// If a rule is added without a priority, its priority becomes one less than that of the
// second rule in the list. Adding the same rule again makes another rule. With Priority
// set, [Add] finds out whether the rule already exists.
//
// The kernel keeps selectors as they are given: a rule from 198.51.100.7/24 is not
// the rule from 198.51.100.0/24. Some selectors have two equivalent encodings, and
// newer kernels report masks that were not given. To compare a rule with a listed
// one, use its [Rule.Canonical] form.
//
// A rule refers to an interface by name. When the interface is deleted, the rule stays,
// and gets [FlagIIFDetached] or [FlagOIFDetached]. The kernel reports no event for this
// change.
//
// The kernel's delete request treats a missing field as a wildcard, and deletes the
// first rule that matches. [Delete] deletes the rule that it is given, or nothing.
// It lists the rules to find it: use a [Batch] or a [Deleter] to delete many.
//
// A kernel ignores attributes that it does not know: on a kernel without DSCP
// support, "dscp 10" becomes a rule that matches every packet. [Add] then deletes
// the rule and returns an error.
//
// A goto whose target does not exist has [FlagUnresolved], and the kernel goes on
// with the next rule.
//
// A listing is not a snapshot. If rules are deleted while the kernel lists them,
// other rules can be missing from the listing.
package rule
