package maintain

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/table/plan"
)

// The outcomes of several looks at one uplink, and the events that report them.
func TestReporter(t *testing.T) {
	names := plan.Make([]plan.Step{{Op: plan.AddName, Table: 20, Name: "lan2"}}, nil, "")
	rules := plan.Make([]plan.Step{{Op: plan.AddRule}}, nil, "")
	deletion := plan.Make([]plan.Step{{Op: plan.DeleteRule}}, nil, "")
	refusal := &plan.FieldError{Uplink: "lan2", Field: "Table", Reason: "is odd"}
	unnamed := &plan.NameError{Table: 20, Name: "lan2", Err: errors.New("no")}
	passing := errors.New("of the moment")
	for _, tt := range []struct {
		name     string
		outcomes []outcome
		want     string // the events, and the failures in a row
	}{
		{"nothing is done at the start", []outcome{{}}, "installed, 0"},
		{"it stays installed", []outcome{{plan: rules}, {}, {}}, "installed+1, 0"},
		{"a repair", []outcome{{plan: rules}, {plan: rules}}, "installed+1 repaired+1, 0"},
		{"only a name", []outcome{{}, {plan: names}}, "installed repaired+1, 0"},
		{"a name that cannot be written", []outcome{{plan: names, nameErr: unnamed}, {plan: names, nameErr: unnamed}},
			"installed+1!, 0"},
		{"it waits for one thing and then for another", []outcome{{waits: "a"}, {waits: "a"}, {waits: "b"}}, "pending:a pending:b, 0"},
		{"its rules are added while it waits at the start", []outcome{{waits: "a", plan: rules}, {waits: "a", plan: rules, causes: causeAddress}},
			"pending:a, 0"},
		{"it is complete then", []outcome{{waits: "a", plan: rules}, {waits: "b", plan: rules, causes: causeLink}, {plan: rules}, {plan: rules}},
			"pending:a pending:b installed+3 repaired+1, 0"},
		{"its rules are repaired while it waits at the start", []outcome{{waits: "a", plan: rules}, {waits: "a", plan: rules, causes: causeRule}},
			"pending:a repaired+1, 0"},
		{"its rules are replaced while it waits at the start",
			[]outcome{{waits: "a", plan: rules}, {waits: "a", plan: deletion, causes: causeAddress}}, "pending:a repaired+1, 0"},
		{"its rules are repaired while it waits later",
			[]outcome{{}, {waits: "a"}, {waits: "a", plan: rules, causes: causeAddress}, {plan: rules}},
			"installed pending:a repaired+1 installed+1, 0"},
		{"its name is written while it waits", []outcome{{waits: "a"}, {waits: "a", plan: names}}, "pending:a, 0"},
		{"it is complete at last", []outcome{{waits: "a"}, {plan: rules}}, "pending:a installed+1, 0"},
		{"a refusal at the start", []outcome{{err: refusal}, {err: refusal}}, "failed!, 2"},
		{"a refusal later may pass", []outcome{{}, {err: refusal}, {}}, "installed, 0"},
		{"a failure that passes", []outcome{{err: passing}, {err: passing}, {}}, "installed, 0"},
		{"a failure that stays", []outcome{{err: passing}, {err: passing}, {err: passing}, {err: passing}}, "failed!, 4"},
		{"another failure", []outcome{{err: refusal}, {err: passing}, {err: passing}}, "failed! failed!, 3"},
		{"someone has the lock", []outcome{{}, {err: fmt.Errorf("table: %w", plan.ErrLocked)}}, "installed failed!, 1"},
		{"it works again", []outcome{{err: refusal}, {}}, "failed! installed, 0"},
	} {
		var events []string
		r := reporter{counters: new(Counters), event: func(e Event) {
			s := e.Kind.String()
			if e.Kind == EventPending {
				s += ":" + e.Reason
			}
			if n := len(e.Plan.Steps); n > 0 {
				s += fmt.Sprint("+", n)
			}
			if e.Err != nil {
				s += "!"
			}
			if e.Uplink != "lan2" || e.Owner != 7 {
				t.Errorf("%s: the event is about uplink %q, owner %d", tt.name, e.Uplink, e.Owner)
			}
			events = append(events, s)
		}}
		var last lastReport
		for _, o := range tt.outcomes {
			o.subject = subject{label: "lan2", owner: 7}
			last = r.report(last, o)
		}
		if got := fmt.Sprintf("%s, %d", strings.Join(events, " "), last.failures); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The time until a failure is tried again doubles, up to a limit.
func TestRetryIn(t *testing.T) {
	if d := (lastReport{}).retryIn(); d != 0 {
		t.Errorf("without a failure: %v", d)
	}
	previous := (lastReport{failures: 1}).retryIn()
	for n := 2; n < 1000; n++ {
		d := (lastReport{failures: n}).retryIn()
		if d != min(2*previous, retryMost) || previous != retryFirst && n == 2 {
			t.Fatalf("after %d failures: %v, before that %v", n, d, previous)
		}
		previous = d
	}
}
