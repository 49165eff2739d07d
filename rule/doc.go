// Package rule adds, deletes and lists the rules of the Linux routing policy
// database: what "ip rule" does, without running it.
//
// A [Rule] is a plain value: its fields are the selectors and actions of
// ip-rule(8), its zero fields are unset, and rules compare with ==. The verbs
// are functions over a [route.Conn]:
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
// The text of a rule is its words in ip-rule(8). [Parse] reads what ip takes,
// [Rule.String] prints it, and neither loses anything, so that a Rule within
// JSON is one readable string. AppendBinary and UnmarshalBinary do the same for
// rtnetlink messages. What a newer kernel says goes to [Rule.Unknown] and is
// kept there.
//
// # What the kernel does
//
// Rules of the same priority are looked at in the order in which they were
// added. Two may be the same in all fields.
//
// There is no request that replaces a rule. To change one, add the new one and
// then delete the old one.
//
// A rule that is added without a priority gets one below the second rule's, and
// adding it again makes a second rule. Set Priority to be able to tell whether
// a rule is there.
//
// Selectors are kept as they are given: 198.51.100.7/24 is another rule than
// 198.51.100.0/24. Some say the same in two ways, and newer kernels report
// masks that were not asked for. Compare a rule that you want with one that is
// listed by [Rule.Canonical].
//
// An interface is a name. The rule outlives the interface, with
// [FlagIIFDetached] or [FlagOIFDetached], and no event tells when it does.
//
// A request to delete that leaves a field out deletes the first rule with any
// value there. [Delete] deletes the rule that it is given, or nothing.
//
// A kernel ignores attributes that it does not know: dscp 10, on one without
// dscp, is a rule that matches every packet. [Add] reports that instead.
//
// A goto whose target does not exist has [FlagUnresolved], and is passed over.
//
// A list is no snapshot. If rules are deleted while the kernel lists them,
// others may be missing from the list.
package rule
