package table_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
)

// Names are written and deleted when all else is done: while another process holds their
// lock, Install and Remove have only the name left to do.
func TestNamesComeLast(t *testing.T) {
	n := tabletest.NewNetwork(t)
	u := n.Uplink2(tabletest.IPv4)
	hold := func() (release func()) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(n.Etc, ".policyroute.lock"), os.O_RDWR|os.O_CREATE, 0o600)
		if err == nil {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() { f.Close() }
	}
	isNamed := func() bool {
		files, err := rttables.ReadFiles(n.Etc)
		if err != nil {
			t.Fatal(err)
		}
		return files.Registered(u.Table, u.Name)
	}
	for _, x := range []struct {
		verb  string
		do    func() error
		rules bool // afterwards
	}{
		{"Install", func() error { return table.Install(t.Context(), n.Conn, u) }, true},
		{"Remove", func() error { return table.Remove(t.Context(), n.Conn, u) }, false},
	} {
		release := hold()
		done := make(chan error, 1)
		go func() { done <- x.do() }()
		kernel := n.Dial(n.Server)
		hasRules := func() bool {
			other := *n
			other.Conn = kernel // that of Install is in use
			return strings.Contains(other.Kernel(), "lookup 20 proto")
		}
		for end := time.Now().Add(tabletest.Patience); hasRules() != x.rules; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s waits for the name:\n%s", x.verb, n.Kernel())
			}
		}
		if isNamed() == x.rules {
			t.Errorf("%s wrote the name although someone else has the lock", x.verb)
		}
		release()
		if err := <-done; err != nil {
			t.Errorf("%s: %v", x.verb, err)
		}
		if isNamed() != x.rules {
			t.Errorf("after %s the name is there: %v", x.verb, !x.rules)
		}
	}
}
