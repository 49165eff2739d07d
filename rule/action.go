package rule

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// An Action is what a rule does with a packet that it matches: FR_ACT_* of
// linux/fib_rules.h. The zero Action is unset: [Add] sends ActionLookup or ActionGoto
// instead. The kernel's own action 0 is [ActionNone]. Other values above 255 cannot be
// sent.
type Action uint16

// The actions, in the words of ip-rule(8).
const (
	ActionLookup      Action = uapi.FR_ACT_TO_TBL      // look the packet up in Table
	ActionGoto        Action = uapi.FR_ACT_GOTO        // go on with the rule at the priority Goto
	ActionNop         Action = uapi.FR_ACT_NOP         // go on with the next rule
	ActionBlackhole   Action = uapi.FR_ACT_BLACKHOLE   // drop the packet silently
	ActionUnreachable Action = uapi.FR_ACT_UNREACHABLE // drop the packet, and tell the sender "unreachable"
	ActionProhibit    Action = uapi.FR_ACT_PROHIBIT    // drop the packet, and tell the sender "prohibited"

	// ActionNone is FR_ACT_UNSPEC, the number 0 in a message. The kernel accepts a rule
	// with it, and then fails every lookup that comes to the rule. ip(8) shows it as
	// none, and takes it as type 0.
	ActionNone Action = 1 << 8
)

var actions = iptext.Enum{
	{N: uapi.FR_ACT_UNSPEC, Name: "unset"},
	{N: uapi.FR_ACT_TO_TBL, Name: "lookup"},
	{N: uapi.FR_ACT_GOTO, Name: "goto"},
	{N: uapi.FR_ACT_NOP, Name: "nop"},
	{N: uapi.FR_ACT_BLACKHOLE, Name: "blackhole"},
	{N: uapi.FR_ACT_UNREACHABLE, Name: "unreachable"},
	{N: uapi.FR_ACT_PROHIBIT, Name: "prohibit"},
}

// noneWord is the word of ip-rule(8) for ActionNone.
const noneWord = "none"

// String returns the word of ip-rule(8) for a, such as lookup, or the number if
// there is no word. The zero Action is unset.
func (a Action) String() string {
	switch {
	case a == ActionNone:
		return noneWord
	case a > ActionNone:
		return iptext.Decimal(a)
	}
	return actions.Name(uint8(a))
}

// MarshalText returns what String does.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what String returns for the actions up to ActionNone, or any number
// from 0 to 255. The number 0 is ActionNone.
func (a *Action) UnmarshalText(text []byte) error {
	switch n, ok := iptext.Uint[uint8](string(text), 8); {
	case string(text) == noneWord, ok && n == uapi.FR_ACT_UNSPEC:
		*a = ActionNone
		return nil
	}
	n, err := actions.Unmarshal("rule", "an action", text)
	if err == nil {
		*a = Action(n)
	}
	return err
}

// Flags are the flags of a rule that the kernel reports: FIB_RULE_* of
// linux/fib_rules.h, without FIB_RULE_INVERT, which is [Rule.Not].
type Flags uint32

// The flags.
const (
	FlagPermanent   Flags = uapi.FIB_RULE_PERMANENT    // the rule cannot be deleted
	FlagUnresolved  Flags = uapi.FIB_RULE_UNRESOLVED   // there is no rule at the priority Goto
	FlagIIFDetached Flags = uapi.FIB_RULE_IIF_DETACHED // there is no interface IIF
	FlagOIFDetached Flags = uapi.FIB_RULE_OIF_DETACHED // there is no interface OIF
	FlagFindSAddr   Flags = uapi.FIB_RULE_FIND_SADDR   // IPv6: the source that the kernel chooses must be in From
)

var flagNames = []struct {
	flag Flags
	name string
}{
	{FlagPermanent, "permanent"},
	{FlagUnresolved, "unresolved"},
	{FlagIIFDetached, "iif-detached"},
	{FlagOIFDetached, "oif-detached"},
	{FlagFindSAddr, "find-saddr"},
}

// String returns the names of the flags with commas between them. Flags without
// a name are a hexadecimal number at the end.
func (f Flags) String() string {
	var names []string
	for _, x := range flagNames {
		if f&x.flag != 0 {
			names = append(names, x.name)
			f &^= x.flag
		}
	}
	if f != 0 {
		names = append(names, iptext.Hex(uint32(f)))
	}
	return strings.Join(names, ",")
}

// MarshalText returns what String does.
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns. Empty text is no flag.
func (f *Flags) UnmarshalText(text []byte) error {
	var flags Flags
	for word := range strings.SplitSeq(string(text), ",") {
		flag, ok := parseFlag(word)
		if !ok && len(text) > 0 {
			return fmt.Errorf("rule: %q is not a flag of a rule", word)
		}
		flags |= flag
	}
	*f = flags
	return nil
}

// parseFlag reads the name of a flag, or a number of 32 bits.
func parseFlag(word string) (Flags, bool) {
	for _, x := range flagNames {
		if x.name == word {
			return x.flag, true
		}
	}
	return iptext.Uint[Flags](word, 32)
}
