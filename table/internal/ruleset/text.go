package ruleset

import (
	"fmt"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/nft"
)

// text returns the line of "nft -f" for an operation. What a rule looks up are sets of one
// of some contents.
func (o *operation) text(contents ...*nft.Contents) string {
	switch o.verb {
	case addTable:
		return "add " + o.table.String() + tableText(&o.table)
	case deleteTable:
		return "delete " + o.table.String()
	case flushChain:
		return "flush " + o.chain.String()
	case deleteChain:
		return "delete " + o.chain.String()
	case deleteSet:
		return "delete " + o.set.String()
	case addSet:
		return "add " + o.set.String() + " " + setText(&o.set)
	case addChain:
		return "add " + o.chain.String() + chainText(&o.chain)
	}
	return fmt.Sprintf("add rule %s %s %s %s", o.rule.Family, o.rule.Table, o.rule.Chain, RuleText(&o.rule, contents...))
}

func tableText(t *nft.Table) string {
	if t.Comment == "" {
		return ""
	}
	return fmt.Sprintf(" { comment %s; }", quote(t.Comment))
}

// quote returns a string of nft(8), which has no way to write a quotation mark.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, "'") + `"` }

// typeWords are the words of nft(8) for the numbers of types.
var typeWords = map[uint32]string{
	nft.TypeIPv4Addr.Number: "ipv4_addr", nft.TypeIPv6Addr.Number: "ipv6_addr", nft.TypeInetService.Number: "inet_service",
	nft.TypeInetProto.Number: "inet_proto", nft.TypeMark.Number: "mark", nft.TypeIfName.Number: "ifname",
	nft.TypeIfaceIndex.Number: "iface_index",
}

// typeText returns the words of a type, which may be a concatenation.
func typeText(number uint32) string {
	const bits = 6
	var words []string
	for ; number != 0; number >>= bits {
		word, ok := typeWords[number&(1<<bits-1)]
		if !ok {
			word = fmt.Sprint(number & (1<<bits - 1))
		}
		words = append([]string{word}, words...)
	}
	return strings.Join(words, " . ")
}

func setText(s *nft.Set) string {
	parts := []string{"type " + typeText(s.Key.Number)}
	if s.Size != 0 {
		parts = append(parts, fmt.Sprintf("size %d", s.Size))
	}
	var flags []string
	for _, f := range []struct {
		flag nft.SetFlags
		word string
	}{{nft.Dynamic, "dynamic"}, {nft.Timeout, "timeout"}, {nft.Interval, "interval"}, {nft.Constant, "constant"}} {
		if s.Flags&f.flag != 0 {
			flags = append(flags, f.word)
		}
	}
	if len(flags) > 0 {
		parts = append(parts, "flags "+strings.Join(flags, ","))
	}
	if s.Timeout != 0 {
		parts = append(parts, "timeout "+milliseconds(uint64(s.Timeout)))
	}
	if s.GCInterval != 0 {
		parts = append(parts, "gc-interval "+milliseconds(uint64(s.GCInterval)))
	}
	if s.Comment != "" {
		parts = append(parts, "comment "+quote(s.Comment))
	}
	return "{ " + strings.Join(parts, "; ") + "; }"
}

// milliseconds returns a time in the words of nft(8): seconds, or milliseconds if it has
// less than that.
func milliseconds(n uint64) string {
	if d := time.Duration(n) * time.Millisecond; d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", n)
}

// hookWords are the words of nft(8) for hooks.
var hookWords = map[uint32]string{
	nft.Prerouting: "prerouting", nft.Input: "input", nft.Forward: "forward", nft.Output: "output", nft.Postrouting: "postrouting",
}

func chainText(c *nft.Chain) string {
	if !c.Base {
		return ""
	}
	policy := "accept"
	if c.Policy == nft.PolicyDrop {
		policy = "drop"
	}
	return fmt.Sprintf(" { type %s hook %s priority %d; policy %s; }", c.Type, hookWords[c.Hook.Number], c.Hook.Priority, policy)
}
