package tabletest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
)

// A Child is a function that runs in another process, for tests that need several
// processes or kill one. The process runs the test binary, so [Main] has to know the
// Child.
type Child struct {
	name string
	do   func(ns *netlink.Config, job []byte) error
}

// NewChild returns a child. Its process is given a job and the network namespace of
// the server, and ends when do returns.
func NewChild[Job any](name string, do func(ns *netlink.Config, job Job) error) Child {
	return Child{name: name, do: func(ns *netlink.Config, b []byte) error {
		var job Job
		if err := json.Unmarshal(b, &job); err != nil {
			return err
		}
		return do(ns, job)
	}}
}

// childVariable is the environment variable that has the order of a child process.
const childVariable = "POLICYROUTE_TABLE_CHILD"

// An order tells the process of a child what to do.
type order struct {
	Child string
	NetNS string // path
	Job   json.RawMessage
}

// Main runs the tests of a package, or, in the process of a child, what it does.
// Beside those of the package there is always the child of [Network.Process].
func Main(m *testing.M, children ...Child) {
	s := os.Getenv(childVariable)
	if s == "" {
		lab.Main(m)
		return
	}
	if err := obey(s, append(children, uplinkChild)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// obey is the process of a child.
func obey(s string, children []Child) error {
	var o order
	if err := json.Unmarshal([]byte(s), &o); err != nil {
		return err
	}
	i := slices.IndexFunc(children, func(c Child) bool { return c.name == o.Child })
	if i < 0 {
		return fmt.Errorf("TestMain does not know the child %q", o.Child)
	}
	f, err := os.Open(o.NetNS)
	if err != nil {
		return err
	}
	defer f.Close()
	return children[i].do(&netlink.Config{NetNS: int(f.Fd())}, o.Job)
}

// Child returns the process of a child, in the server's namespace, that is to be
// started.
func (n *Network) Child(c Child, job any) *exec.Cmd {
	n.T.Helper()
	b, err := json.Marshal(job)
	o, err2 := json.Marshal(order{Child: c.name, NetNS: n.Server.Path(), Job: b})
	if err := cmp.Or(err, err2); err != nil {
		n.T.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childVariable+"="+string(o))
	return cmd
}
