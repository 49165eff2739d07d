//go:build linux

package rule

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A futureKernel is a Conn to a kernel that has one more attribute than the running
// one: the first rule of a priority has it. It records the requests to delete.
type futureKernel struct {
	route.Conn
	prio    uint32
	deleted *[]Rule
}

const (
	futureAttr    uapi.FRA = 60
	futurePayload          = "\x01\x02\x03"
)

func (f futureKernel) Execute(m netlink.Message) ([]netlink.Message, error) {
	if m.Header.Type == uapi.RTM_DELRULE {
		var r Rule
		if err := r.UnmarshalBinary(m.Data); err != nil {
			return nil, err
		}
		*f.deleted = append(*f.deleted, r)
	}
	msgs, err := f.Conn.Execute(m)
	for i := range msgs {
		var r Rule
		if msgs[i].Header.Type == uapi.RTM_NEWRULE && r.UnmarshalBinary(msgs[i].Data) == nil && r.Priority == Priority(f.prio) {
			msgs[i].Data = attr.Append(slices.Clone(msgs[i].Data), uint16(futureAttr), []byte(futurePayload))
			break
		}
	}
	return msgs, err
}

// An attribute of a newer kernel survives a listing, text and JSON, is sent back
// when the rule is deleted, and distinguishes the rule from another one.
func TestKernelFuture(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, real := kernel(t)
	before := list(t, real, Filter{})
	for name, c := range conns(t, ns) {
		var deleted []Rule
		c := futureKernel{c, 100, &deleted}
		plain := parse(t, "from 10.0.0.0/8 pref 100 lookup 10")
		for range 2 { // the running kernel sees no difference between them
			if err := write(t.Context(), c, uapi.RTM_NEWRULE, netlink.Create, plain); err != nil {
				t.Fatal(err)
			}
		}
		rules, err := List(t.Context(), c, Filter{Priority: Priority(100)})
		if err != nil || len(rules) != 2 {
			t.Fatalf("%s: %v, %v", name, rules, err)
		}
		newer := rules[0]
		want := []string{"100: from 10.0.0.0/8 lookup 10 attribute 60 010203", "100: from 10.0.0.0/8 lookup 10"}
		if got := []string{newer.String(), rules[1].String()}; !slices.Equal(got, want) {
			report.Errorf("%s: got %q, want %q", name, got, want)
		}
		if back := parse(t, newer.String()); back != newer {
			report.Errorf("%s: %s parsed is %s", name, newer, back)
		}
		// Without the attribute, the kernel would take the rule that has it.
		if err := Delete(t.Context(), c, plain); err == nil || !strings.Contains(err.Error(), "the kernel would delete") {
			report.Errorf("%s: %v", name, err)
		}
		if deleted != nil {
			report.Errorf("%s: asked to delete %v", name, deleted)
		}
		if err := Delete(t.Context(), c, newer); err != nil {
			report.Error(err)
		}
		if len(deleted) != 1 || deleted[0].Unknown != newer.Unknown {
			report.Errorf("%s: asked to delete %v", name, deleted)
		}
		if err := Delete(t.Context(), real, plain); err != nil {
			report.Error(err)
		}
		if diff := cmp.Diff(before, list(t, real, Filter{})); diff != "" {
			report.Errorf("%s: rules (-before +after):\n%s", name, diff)
		}
	}
}
