package show_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/internal/corpus"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// littleEndian says whether this machine has the byte order of the recorded
// payloads.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// The interfaces of the namespace in which the cases were recorded.
const (
	eth0 = 3
	eth1 = 5
)

func readRoutes(t testing.TB) []corpus.Case { return readCases(t, "../testdata/corpus.jsonl", 250) }
func readRules(t testing.TB) []corpus.Case {
	return readCases(t, "../../rule/testdata/corpus.jsonl", 300)
}

// readCases returns the recorded cases of a file, of which there are many.
func readCases(t testing.TB, file string, atLeast int) []corpus.Case {
	t.Helper()
	cases, err := corpus.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < atLeast {
		t.Fatalf("%d recorded cases: some are missing", len(cases))
	}
	return cases
}

// routeNames are the names of the namespace in which the routes were recorded.
// Of the names in iproute2's files, the cases have only these.
func routeNames(t testing.TB) *route.Names {
	t.Helper()
	files, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_protos": {Data: []byte("99 openr\n")},
		"etc/iproute2/rt_realms": {Data: []byte("0 cosmos\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &route.Names{Files: files, Links: route.MakeLinks(map[uint32]string{1: "lo", eth0: "eth0", eth1: "eth1"})}
}

// ruleNames are the names of the machine on which the rules were recorded. Of
// the names in iproute2's files, the cases have only these.
func ruleNames(t testing.TB) *route.Names {
	t.Helper()
	var fields strings.Builder
	for class := 1; class <= 7; class++ {
		fmt.Fprintf(&fields, "%#x CS%d\n", class<<5, class)
		for drop := 1; class <= 4 && drop <= 3; drop++ {
			fmt.Fprintf(&fields, "%#x AF%d%d\n", class<<5+drop<<3, class, drop)
		}
	}
	fields.WriteString("0xb8 EF\n")
	n, err := rttables.Load(fstest.MapFS{
		"etc/iproute2/rt_dsfield": {Data: []byte(fields.String())},
		"etc/iproute2/rt_protos":  {Data: []byte("99 openr\n")},
		"etc/iproute2/rt_realms":  {Data: []byte("0 cosmos\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &route.Names{Files: n}
}
