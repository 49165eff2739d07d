package rule

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// typesOfRoutes are the types of routes that are no actions of rules. ip(8)
// takes them all the same, and sends their numbers. Its word nat has an address.
var typesOfRoutes = []string{"local", "broadcast", "brd", "anycast", "multicast", "xresolve", "unicast", "throw"}

// shortActions are the actions and types that need not be written out.
var shortActions = []string{
	"nop", "broadcast", "anycast", "multicast", "prohibit", "unreachable", "blackhole",
	"xresolve", "unicast",
}

// lookup reports whether the verbs take l for a rule that looks a packet up.
func (l *line) lookup() bool {
	return l.Action == ActionLookup || l.Action == 0 && l.Goto == 0
}

// printType writes an action that no other word stands for.
func printType(p *iptext.Printer, l *line) {
	switch l.Action {
	case 0: // as if it were set to what the verbs make of it
	case ActionLookup:
		// The words lookup and l3mdev imply it, goto does not.
		if l.Goto != 0 {
			p.Put("type", l.Action.String())
		}
	case ActionGoto, ActionNop, ActionBlackhole, ActionUnreachable, ActionProhibit:
	default:
		p.Put("type", l.Action.String())
	}
}

// actionWord is an action that is a word of its own.
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
	return err
}

// setType makes the word for an action or a type of routes that of the rule.
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

func isAction(word string) bool {
	_, ok := actions.Number(word)
	return ok
}

// argNAT takes the address that ip(8) sends for a rule of network address
// translation. Kernels since 2.6 do not look at it.
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
