package plan_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/plan"
)

// Done leaves out the names that an error of Apply is about.
func TestDone(t *testing.T) {
	p := plan.Plan{Steps: []plan.Step{
		{Op: plan.AddName, Table: 10, Name: "lan1"}, {Op: plan.AddName, Table: 20, Name: "lan2"}, {Op: plan.AddRule},
	}}
	one := &plan.NameError{Table: 10, Name: "lan1", Err: fs.ErrPermission}
	two := &plan.NameError{Table: 20, Name: "lan2", Err: fs.ErrPermission}
	for _, x := range []struct {
		err  error
		want int // steps
	}{
		{nil, 3},
		{one, 2},
		{errors.Join(errors.Join(nil, one), two), 1},
		{fmt.Errorf("%w", one), 0},
		{errors.Join(one, fs.ErrExist), 0},
		{&plan.StepError{Err: one}, 0},
	} {
		if got := p.Done(x.err); len(got.Steps) != x.want {
			t.Errorf("%v: %d steps, want %d:\n%s", x.err, len(got.Steps), x.want, got)
		}
	}
}

// The commands of a plan for another network namespace say so, and its objects do not.
func TestInNetNS(t *testing.T) {
	p := plan.Plan{Steps: []plan.Step{{Op: plan.AddName, Table: 10, Name: "lan1"}, {Op: plan.AddRule}}}.InNetNS("red")
	want := "echo '10 lan1 # policyroute' >>/etc/iproute2/rt_tables\nip -n red rule add from all lookup 0\n"
	for _, p := range []plan.Plan{p, p.Net(), p.Select(func(*plan.Step) bool { return true })} {
		if got := p.String(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		if got := p.Object(&p.Steps[1]); got != "rule from all lookup 0" {
			t.Errorf("object %s", got)
		}
	}
	p = p.NamedIn(func(id rttables.ID, name string) string { return "/a b/rt_tables.d/" + name })
	want = `mkdir -p '/a b/rt_tables.d' && echo '10 lan1 # policyroute' >>'/a b/rt_tables.d/lan1'`
	if got := p.Command(&p.Steps[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
