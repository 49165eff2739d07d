package maintain_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// A process that keeps the lock of the namespace, and may not change anything, does not
// keep Run from its work. Run names it, once.
func TestObstructed(t *testing.T) {
	n := tabletest.NewNetwork(t)
	for name, hold := range map[string]lab.Hold{
		"ordinary": {}, "in a PID namespace": {PIDNS: true}, "again and again": {Again: true}, "ended": {Orphan: true},
	} {
		hold.Name = "x\x1b[2J"
		_, release := n.Server.Hold(hold)
		u1, u2 := n.Uplink1(tabletest.IPv4), n.Uplink2(tabletest.IPv4)
		k := newKeeper(n, maintain.Config{}, maintained(u1, u2)...)
		k.settles(u1)
		for range 5 {
			if _, err := rule.Flush(t.Context(), n.Conn, rule.Filter{Table: 20}); err != nil {
				t.Fatal(err)
			}
			k.untilComplete(u2)
		}
		k.stop()
		said := 0
		for _, e := range k.log() {
			if strings.ContainsRune(e.String(), '\x1b') || e.Kind == maintain.EventFailed {
				t.Errorf("%s: %q", name, e)
			}
			if e.Kind == maintain.EventObstructed {
				said++
			}
		}
		// At most once a minute each: that someone is passed over and, on a busy machine,
		// that someone could not be seen.
		if said > 2 || said == 0 && !hold.Again {
			t.Errorf("%s: it is said %d times:\n%s", name, said, k.text())
		}
		release()
		n.Remove(u1, u2)
	}
}
