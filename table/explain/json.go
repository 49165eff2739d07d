package explain

import (
	"encoding/json"
)

// These are the objects of the JSON of an Explanation. Empty fields are left out, but for
// the packet, the verdict, the tables and the steps.
type (
	jsonExplanation struct {
		Packet     string          `json:"packet"`
		Verdict    Verdict         `json:"verdict"`
		Rule       *jsonRule       `json:"rule,omitempty"`
		Table      string          `json:"table,omitempty"`
		Route      string          `json:"route,omitempty"`
		Dev        string          `json:"dev,omitempty"`
		Via        string          `json:"via,omitempty"`
		Source     string          `json:"source,omitempty"`
		Candidates []jsonCandidate `json:"candidates,omitempty"`
		Tables     []string        `json:"tables"`
		Steps      []jsonStep      `json:"steps"`
		Depends    string          `json:"depends,omitempty"`
		Error      string          `json:"error,omitempty"`
	}
	jsonRule struct {
		Priority uint32 `json:"priority"`
		Text     string `json:"text"`
	}
	jsonCandidate struct {
		Dev    string `json:"dev"`
		Via    string `json:"via,omitempty"`
		Weight uint16 `json:"weight"`
	}
	jsonStep struct {
		Rule     *jsonRule    `json:"rule,omitempty"`
		Result   Result       `json:"result"`
		Selector string       `json:"selector,omitempty"`
		Table    string       `json:"table,omitempty"`
		Route    string       `json:"route,omitempty"`
		Passed   []jsonPassed `json:"passed,omitempty"`
	}
	jsonPassed struct {
		Route  string `json:"route"`
		Reason Passed `json:"reason"`
	}
)

// MarshalJSON returns the explanation as an object. Rules and routes are the words of
// ip-rule(8) and ip-route(8), tables are their names or numbers, and interfaces their
// names. The field error is the name of the error number. If the packet is refused, but not
// by a rule or a route, the reason follows after a colon. Fields without a value are left
// out.
func (e Explanation) MarshalJSON() ([]byte, error) {
	d := &e.Decision
	j := jsonExplanation{
		Packet: e.Packet.String(), Verdict: d.Verdict, Rule: e.jsonRule(d.Rule), Route: e.routeText(d.Route),
		Tables: []string{}, Steps: []jsonStep{}, Depends: d.Depends.String(), Error: d.Error.String(),
	}
	if d.Table != 0 {
		j.Table = d.Table.String()
	}
	if d.OIF != 0 {
		j.Dev = e.fib.name(d.OIF)
	}
	if d.Via.IsValid() {
		j.Via = d.Via.String()
	}
	if d.Source.IsValid() {
		j.Source = d.Source.String()
	}
	if d.Refusal != 0 {
		j.Error += ": " + d.Refusal.String()
	}
	for _, c := range d.Candidates {
		x := jsonCandidate{Dev: e.fib.name(c.OIF), Weight: c.Weight}
		if c.Via.IsValid() {
			x.Via = c.Via.String()
		}
		j.Candidates = append(j.Candidates, x)
	}
	for _, id := range e.Tables {
		j.Tables = append(j.Tables, id.String())
	}
	for i := range e.Steps {
		j.Steps = append(j.Steps, e.jsonStep(&e.Steps[i]))
	}
	return json.Marshal(j)
}

func (e *Explanation) jsonStep(s *Step) jsonStep {
	j := jsonStep{
		Rule: e.jsonRule(s.Rule), Result: s.Result, Selector: s.Selector, Table: s.tableText(), Route: e.routeText(s.Route),
	}
	for _, p := range s.Passed {
		j.Passed = append(j.Passed, jsonPassed{e.routeText(p.Route), p.Reason})
	}
	return j
}

func (e *Explanation) jsonRule(place int) *jsonRule {
	if place < 0 {
		return nil
	}
	r := &e.fib.world.Rules[place]
	return &jsonRule{r.Priority.Or(0), ruleText(r)}
}

// routeText returns the words for a route, with its table and protocol.
func (e *Explanation) routeText(place int) string {
	if place < 0 {
		return ""
	}
	return e.fib.world.Routes[place].Text(e.fib.names)
}
