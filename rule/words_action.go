package rule

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// routeTypeWords are the types of routes that are not actions of rules. ip(8)
// accepts them as actions and sends their numbers. Its word nat has an argument.
var routeTypeWords = []string{"local", "broadcast", "brd", "anycast", "multicast", "xresolve", "unicast", "throw"}

// shortActions are the actions and types that can be abbreviated.
var shortActions = []string{
	"nop", "broadcast", "anycast", "multicast", "prohibit", "unreachable", "blackhole",
	"xresolve", "unicast",
}

// isLookup reports whether l is a lookup for the verbs.
func (l *line) isLookup() bool {
	return l.Action == ActionLookup || l.Action == 0 && l.Goto == 0
}

// printType writes an action that no other word implies.
func printType(p *iptext.Printer, l *line) {
	switch l.Action {
	case 0: // printed as the action that the verbs fill in
	case ActionLookup:
		// The words lookup and l3mdev imply it, goto does not.
		if l.Goto != 0 {
			p.Put("type", l.Action.String())
		}
	case ActionNone: // whose word ip(8) does not take
		p.Put("type", iptext.Decimal[uint8](uapi.FR_ACT_UNSPEC))
	case ActionGoto, ActionNop, ActionBlackhole, ActionUnreachable, ActionProhibit:
	default:
		p.Put("type", l.Action.String())
	}
}

// actionWord returns the word of an action that has one.
func actionWord(a Action) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{a.String()},
		Parse: func(_ *iptext.Words, l *line) error { l.Action, l.action = a, true; return nil },
		Print: func(p *iptext.Printer, l *line) {
			if l.Action == a {
				p.Put(a.String())
			}
		},
	}
}

// argGoto takes the priority of the rule to go on with.
func argGoto(w *iptext.Words, l *line) (err error) {
	l.Action, l.action = ActionGoto, true
	l.Goto, err = iptext.ArgUint[uint32](w, "the priority of a rule", 32)
	l.hasGoto = true
	return err
}

// setType sets the action to that of a word, which can be a type of routes.
func (l *line) setType(w *iptext.Words, word string) error {
	l.action = true
	if isAction(word) {
		return l.Action.UnmarshalText([]byte(word))
	}
	var t route.Type
	if word == "brd" {
		word = route.TypeBroadcast.String()
	}
	if err := t.UnmarshalText([]byte(word)); err != nil {
		return w.Errorf("not an action")
	}
	l.Action = Action(t)
	return nil
}

// isAction reports whether a word is that of an action other than none.
func isAction(word string) bool {
	_, ok := actions.Number(word)
	return ok
}

// argNAT takes the address that ip(8) sends for a rule of network address
// translation. Kernels since 2.6 ignore it.
func argNAT(w *iptext.Words, l *line) error {
	var a netip.Addr
	if err := iptext.ArgAddr(w, &a); err != nil {
		return err
	}
	if !a.Is4() {
		return w.Errorf("not an address of family %s", route.IPv4)
	}
	l.Action = actionNAT // and not l.action: ip(8) gives it a table
	l.Unknown += route.Attributes(attr.Append(nil, uint16(uapi.FRA_UNUSED2), a.AsSlice()))
	return nil
}
