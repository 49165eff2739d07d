package rtnl

import (
	"bytes"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

func TestSpool(t *testing.T) {
	report := testrun.Limit(t)
	var s Spool
	var want [][]byte
	for i := range 5000 {
		p := bytes.Repeat([]byte{byte(i)}, i%300)
		if i == 4000 {
			p = make([]byte, 2*chunkSize)
		}
		s.Add(p)
		want = append(want, p)
	}
	if s.Len() != len(want) {
		report.Errorf("%d payloads, want %d", s.Len(), len(want))
	}
	i := 0
	for p := range s.All() {
		if !bytes.Equal(p, want[i]) || cap(p) != len(p) {
			t.Fatalf("payload %d: %d bytes of %d, want %d", i, len(p), cap(p), len(want[i]))
		}
		i++
	}
	if i != len(want) {
		report.Errorf("All yields %d payloads, want %d", i, len(want))
	}
	for range s.All() {
		break
	}
	for range new(Spool).All() {
		report.Error("an empty Spool yields something")
	}
}
