package uapi

import (
	"bufio"
	_ "embed"
	"fmt"
	"maps"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/testrun"
)

// headers is what testdata/headers.c prints: the constants that x/sys lacks and
// the headers of Linux 6.1 have.
//
//go:embed testdata/headers.txt
var headers string

// newer are the constants that neither x/sys nor the headers of Linux 6.1 have,
// with the values that include/uapi/linux has in the release beside them.
var newer = map[string]int64{
	"FRA_DSCP":           25, // 6.12
	"FRA_FLOWLABEL":      26, // 6.14
	"FRA_FLOWLABEL_MASK": 27, // 6.14
	"FRA_SPORT_MASK":     28, // 6.15
	"FRA_DPORT_MASK":     29, // 6.15
	"FRA_DSCP_MASK":      30, // 6.15
	"RTA_FLOWLABEL":      31, // 6.14

	"IOAM6_IPTUNNEL_SRC":  6, // 6.13
	"SEG6_IPTUNNEL_SRC":   2, // 7.1
	"SEG6_IPTUNNEL_TABLE": 3, // 7.2

	"NHA_OP_FLAGS":                 14,      // 6.9
	"NHA_GROUP_STATS":              15,      // 6.9
	"NHA_HW_STATS_ENABLE":          16,      // 6.9
	"NHA_HW_STATS_USED":            17,      // 6.9
	"NHA_OP_FLAG_DUMP_STATS":       1 << 0,  // 6.9
	"NHA_OP_FLAG_DUMP_HW_STATS":    1 << 1,  // 6.9
	"NHA_OP_FLAG_RESP_GRP_RESVD_0": 1 << 31, // 6.12

	"NHA_GROUP_STATS_UNSPEC":           0, // 6.9
	"NHA_GROUP_STATS_ENTRY":            1, // 6.9
	"NHA_GROUP_STATS_ENTRY_UNSPEC":     0, // 6.9
	"NHA_GROUP_STATS_ENTRY_PAD":        0, // 6.9
	"NHA_GROUP_STATS_ENTRY_ID":         1, // 6.9
	"NHA_GROUP_STATS_ENTRY_PACKETS":    2, // 6.9
	"NHA_GROUP_STATS_ENTRY_PACKETS_HW": 3, // 6.9
}

// TestConstants compares every constant of the package with a value from
// elsewhere. A constant without such a value fails, and so does a value whose
// constant is gone.
func TestConstants(t *testing.T) {
	report := testrun.Limit(t)
	want := maps.Clone(newer)
	for _, from := range []map[string]int64{parseHeaders(t), xsysRouting, xsysOther, xsysNetfilter} {
		for name, v := range from {
			if _, twice := want[name]; twice {
				report.Errorf("%s is listed twice", name)
			}
			want[name] = v
		}
	}
	for _, c := range constants(t) {
		v, ok := want[c.name]
		if !ok {
			report.Errorf("%s: %s is compared with nothing: list it with x/sys, in testdata/headers.c or in newer", c.file, c.name)
		} else if v != c.value {
			report.Errorf("%s: %s = %#x, want %#x", c.file, c.name, c.value, v)
		}
		delete(want, c.name)
	}
	for name := range want {
		report.Errorf("%s is listed, but no constant of this package", name)
	}
}

// TestTablesAreComplete fails when x/sys is updated to a kernel with attributes
// that the tables do not have yet.
func TestTablesAreComplete(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		table attributes
		last  int
	}{
		{rtaTable, unix.RTA_MAX},
		{rtaxTable, unix.RTAX_MAX},
		{lwtunnelIPTable, unix.LWTUNNEL_IP_MAX},
		{lwtunnelIP6Table, unix.LWTUNNEL_IP6_MAX},
	} {
		if got := len(tt.table) - 1; got < tt.last {
			report.Errorf("the table ends with %s, %d; the kernel has attributes up to %d", tt.table[got].name, got, tt.last)
		}
	}
}

func TestRunning(t *testing.T) {
	v, ok := Running()
	if !ok || v.Less(Version{3, 2}) { // the oldest that Go runs on
		t.Errorf("Running() = %v, %t", v, ok)
	}
}

// parseHeaders reads headers: a name and a value a line.
func parseHeaders(t *testing.T) map[string]int64 {
	t.Helper()
	values := make(map[string]int64)
	for s := bufio.NewScanner(strings.NewReader(headers)); s.Scan(); {
		var name string
		var v int64
		if _, err := fmt.Sscanf(s.Text(), "%s %d", &name, &v); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		values[name] = v
	}
	return values
}
