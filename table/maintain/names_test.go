package maintain

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/policyroute/policyroute/rttables"
)

// While a file system does not answer, the names are those that were read last, and nothing
// more is begun there.
func TestNameFilesSilent(t *testing.T) {
	n := newNameFiles()
	n.reads["first"] = &nameRead{pending: make(chan struct{})}
	if f, err := n.read("first"); f != nil || err == nil || !strings.Contains(err.Error(), "first") {
		t.Errorf("without an earlier reading: %v, %v", f, err)
	}
	last, err := rttables.ReadFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	answer := make(chan *rttables.Files)
	n.readFiles = func(string) (*rttables.Files, error) { calls.Add(1); return <-answer, nil }
	n.reads["etc"] = &nameRead{files: last}
	for range 100 {
		if f, err := n.read("etc"); f != last || err != nil {
			t.Fatalf("got %v, %v, want the last one", f, err)
		}
	}
	if calls.Load() != 1 || !n.isSilent("etc") {
		t.Errorf("%d readings, silent: %v; want one that does not end", calls.Load(), n.isSilent("etc"))
	}
	pending := n.reads["etc"].pending
	next, _ := rttables.ReadFiles(t.TempDir())
	answer <- next
	<-pending
	if n.isSilent("etc") {
		t.Error("it answers, and is silent")
	}
	go func() { answer <- last }()
	if f, err := n.read("etc"); f != next && f != last || err != nil {
		t.Errorf("got %v, %v, want what was read since", f, err)
	}
}
