package maintain_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/internal/tabletest"
	"github.com/policyroute/policyroute/table/maintain"
)

// The network namespace is deleted, and made again after some time, and then at once. Run
// says so, waits until there is one, and installs the uplink there. It does nothing more
// in the old one.
func TestNamespaceMadeAgain(t *testing.T) {
	t.Parallel()
	first, second := tabletest.NewNetwork(t), tabletest.NewNetwork(t)
	path := filepath.Join(t.TempDir(), "name")
	point := func(n *tabletest.Network) {
		t.Helper()
		if err := os.Symlink(n.Server.Path(), path+"~"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	u := first.Uplink2(tabletest.IPv4)
	u.Etc = ""
	u.Name = ""
	complete := func(n *tabletest.Network) func() bool {
		return func() bool {
			p, err := table.PlanInstall(t.Context(), n.Conn, u)
			return err == nil && p.Empty()
		}
	}
	point(first)
	k := startKeeper(first, nil, maintain.Config{NetNS: path}, maintained(u)...)
	at := k.awaitKind(0, maintain.EventReady)
	k.until("it is installed", complete(first))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	says := func(text string) {
		at = k.await(at, text, func(e maintain.Event) bool {
			return e.Kind == maintain.EventSocketFailed && strings.Contains(e.Err.Error(), path+text)
		})
		at = k.awaitKind(at, maintain.EventPending)
	}
	says(" was deleted")
	at = k.await(at, "there is none", func(e maintain.Event) bool {
		return e.Kind == maintain.EventSocketFailed && errors.Is(e.Err, fs.ErrNotExist)
	})
	point(second)
	at = k.awaitKind(at, maintain.EventInstalled)
	k.until("it is installed in the second one", complete(second))
	if _, err := route.Flush(t.Context(), first.Conn, route.Filter{Table: 20}); err != nil {
		t.Fatal(err)
	}
	old := first.Kernel()
	point(first)
	says(" was deleted and made again")
	k.awaitKind(at, maintain.EventInstalled)
	k.until("it is installed in the first one again", complete(first))
	if first.Kernel() == old {
		t.Error("the test proves nothing")
	}
	if text := k.text(); strings.Contains(text, "repaired") {
		t.Errorf("what is installed is called a repair:\n%s", text)
	}
}
