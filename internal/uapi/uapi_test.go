package uapi

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/testrun"
)

// kinds are the typed attribute kinds with their tables.
var kinds = []struct {
	goType, prefix string
	table          attributes
	name           func(uint16) string
	since          func(uint16) Version
}{
	{"FRA", "FRA_", fraTable, func(n uint16) string { return FRA(n).String() }, func(n uint16) Version { return FRA(n).Since() }},
	{"RTA", "RTA_", rtaTable, func(n uint16) string { return RTA(n).String() }, func(n uint16) Version { return RTA(n).Since() }},
	{"RTAX", "RTAX_", rtaxTable, func(n uint16) string { return RTAX(n).String() }, func(n uint16) Version { return RTAX(n).Since() }},
	{"NHA", "NHA_", nhaTable, func(n uint16) string { return NHA(n).String() }, func(n uint16) Version { return NHA(n).Since() }},
	{"LWTunnelIP", "LWTUNNEL_IP_", lwtunnelIPTable, func(n uint16) string { return LWTunnelIP(n).String() }, func(n uint16) Version { return LWTunnelIP(n).Since() }},
	{"LWTunnelIP6", "LWTUNNEL_IP6_", lwtunnelIP6Table, func(n uint16) string { return LWTunnelIP6(n).String() }, func(n uint16) Version { return LWTunnelIP6(n).Since() }},
	{"LWTBPF", "LWT_BPF_", lwtBPFTable, func(n uint16) string { return LWTBPF(n).String() }, func(n uint16) Version { return LWTBPF(n).Since() }},
	{"LWTXFRM", "LWT_XFRM_", lwtXFRMTable, func(n uint16) string { return LWTXFRM(n).String() }, func(n uint16) Version { return LWTXFRM(n).Since() }},
	{"MPLSIPTunnel", "MPLS_IPTUNNEL_", mplsIPTunnelTable, func(n uint16) string { return MPLSIPTunnel(n).String() }, func(n uint16) Version { return MPLSIPTunnel(n).Since() }},
	{"Seg6IPTunnel", "SEG6_IPTUNNEL_", seg6IPTunnelTable, func(n uint16) string { return Seg6IPTunnel(n).String() }, func(n uint16) Version { return Seg6IPTunnel(n).Since() }},
	{"Seg6Local", "SEG6_LOCAL_", seg6LocalTable, func(n uint16) string { return Seg6Local(n).String() }, func(n uint16) Version { return Seg6Local(n).Since() }},
	{"NFTATable", "NFTA_TABLE_", nftaTableTable, func(n uint16) string { return NFTATable(n).String() }, func(n uint16) Version { return NFTATable(n).Since() }},
	{"NFTAChain", "NFTA_CHAIN_", nftaChainTable, func(n uint16) string { return NFTAChain(n).String() }, func(n uint16) Version { return NFTAChain(n).Since() }},
	{"NFTAHook", "NFTA_HOOK_", nftaHookTable, func(n uint16) string { return NFTAHook(n).String() }, func(n uint16) Version { return NFTAHook(n).Since() }},
	{"NFTARule", "NFTA_RULE_", nftaRuleTable, func(n uint16) string { return NFTARule(n).String() }, func(n uint16) Version { return NFTARule(n).Since() }},
	{"NFTASet", "NFTA_SET_", nftaSetTable, func(n uint16) string { return NFTASet(n).String() }, func(n uint16) Version { return NFTASet(n).Since() }},
	{"NFTASetDesc", "NFTA_SET_DESC_", nftaSetDescTable, func(n uint16) string { return NFTASetDesc(n).String() }, func(n uint16) Version { return NFTASetDesc(n).Since() }},
	{"NFTASetElem", "NFTA_SET_ELEM_", nftaSetElemTable, func(n uint16) string { return NFTASetElem(n).String() }, func(n uint16) Version { return NFTASetElem(n).Since() }},
	{"NFTASetElemList", "NFTA_SET_ELEM_LIST_", nftaSetElemListTable, func(n uint16) string { return NFTASetElemList(n).String() }, func(n uint16) Version { return NFTASetElemList(n).Since() }},
	{"NFTAGen", "NFTA_GEN_", nftaGenTable, func(n uint16) string { return NFTAGen(n).String() }, func(n uint16) Version { return NFTAGen(n).Since() }},
	{"NFTAExpr", "NFTA_EXPR_", nftaExprTable, func(n uint16) string { return NFTAExpr(n).String() }, func(n uint16) Version { return NFTAExpr(n).Since() }},
	{"NFTAData", "NFTA_DATA_", nftaDataTable, func(n uint16) string { return NFTAData(n).String() }, func(n uint16) Version { return NFTAData(n).Since() }},
	{"NFTAVerdict", "NFTA_VERDICT_", nftaVerdictTable, func(n uint16) string { return NFTAVerdict(n).String() }, func(n uint16) Version { return NFTAVerdict(n).Since() }},
	{"NFTAMeta", "NFTA_META_", nftaMetaTable, func(n uint16) string { return NFTAMeta(n).String() }, func(n uint16) Version { return NFTAMeta(n).Since() }},
	{"NFTACT", "NFTA_CT_", nftactTable, func(n uint16) string { return NFTACT(n).String() }, func(n uint16) Version { return NFTACT(n).Since() }},
	{"NFTACmp", "NFTA_CMP_", nftaCmpTable, func(n uint16) string { return NFTACmp(n).String() }, func(n uint16) Version { return NFTACmp(n).Since() }},
	{"NFTARange", "NFTA_RANGE_", nftaRangeTable, func(n uint16) string { return NFTARange(n).String() }, func(n uint16) Version { return NFTARange(n).Since() }},
	{"NFTABitwise", "NFTA_BITWISE_", nftaBitwiseTable, func(n uint16) string { return NFTABitwise(n).String() }, func(n uint16) Version { return NFTABitwise(n).Since() }},
	{"NFTAImmediate", "NFTA_IMMEDIATE_", nftaImmediateTable, func(n uint16) string { return NFTAImmediate(n).String() }, func(n uint16) Version { return NFTAImmediate(n).Since() }},
	{"NFTAPayload", "NFTA_PAYLOAD_", nftaPayloadTable, func(n uint16) string { return NFTAPayload(n).String() }, func(n uint16) Version { return NFTAPayload(n).Since() }},
	{"NFTALookup", "NFTA_LOOKUP_", nftaLookupTable, func(n uint16) string { return NFTALookup(n).String() }, func(n uint16) Version { return NFTALookup(n).Since() }},
	{"NFTADynset", "NFTA_DYNSET_", nftaDynsetTable, func(n uint16) string { return NFTADynset(n).String() }, func(n uint16) Version { return NFTADynset(n).Since() }},
	{"NFTAFIB", "NFTA_FIB_", nftafibTable, func(n uint16) string { return NFTAFIB(n).String() }, func(n uint16) Version { return NFTAFIB(n).Since() }},
	{"NFTANAT", "NFTA_NAT_", nftanatTable, func(n uint16) string { return NFTANAT(n).String() }, func(n uint16) Version { return NFTANAT(n).Since() }},
	{"NFTAMasq", "NFTA_MASQ_", nftaMasqTable, func(n uint16) string { return NFTAMasq(n).String() }, func(n uint16) Version { return NFTAMasq(n).Since() }},
	{"NFTARedir", "NFTA_REDIR_", nftaRedirTable, func(n uint16) string { return NFTARedir(n).String() }, func(n uint16) Version { return NFTARedir(n).Since() }},
	{"NFTACounter", "NFTA_COUNTER_", nftaCounterTable, func(n uint16) string { return NFTACounter(n).String() }, func(n uint16) Version { return NFTACounter(n).Since() }},
	{"NFTATarget", "NFTA_TARGET_", nftaTargetTable, func(n uint16) string { return NFTATarget(n).String() }, func(n uint16) Version { return NFTATarget(n).Since() }},
	{"NFTAMatch", "NFTA_MATCH_", nftaMatchTable, func(n uint16) string { return NFTAMatch(n).String() }, func(n uint16) Version { return NFTAMatch(n).Since() }},
	{"CTA", "CTA_", ctaTable, func(n uint16) string { return CTA(n).String() }, func(n uint16) Version { return CTA(n).Since() }},
	{"CTATuple", "CTA_TUPLE_", ctaTupleTable, func(n uint16) string { return CTATuple(n).String() }, func(n uint16) Version { return CTATuple(n).Since() }},
	{"CTAIP", "CTA_IP_", ctaipTable, func(n uint16) string { return CTAIP(n).String() }, func(n uint16) Version { return CTAIP(n).Since() }},
	{"CTAProto", "CTA_PROTO_", ctaProtoTable, func(n uint16) string { return CTAProto(n).String() }, func(n uint16) Version { return CTAProto(n).Since() }},
}

// sinceComment is the beginning of the comment of a constant.
var sinceComment = regexp.MustCompile(`^(by )?(\d+)\.(\d+)(\.\d+)?( \S|$)`)

// TestEveryConstantIsDated holds the package to its promise: the first kernel
// version is in the comment of each constant.
func TestEveryConstantIsDated(t *testing.T) {
	report := testrun.Limit(t)
	for _, c := range constants(t) {
		if !sinceComment.MatchString(c.comment) {
			report.Errorf("%s: %s: comment %q does not begin with a kernel version", c.file, c.name, c.comment)
		}
	}
}

// TestTables compares each table with the constants in the source, so that name
// and version, which Go makes us write twice, cannot differ.
func TestTables(t *testing.T) {
	report := testrun.Limit(t)
	byType := make(map[string][]constant)
	for _, c := range constants(t) {
		byType[c.goType] = append(byType[c.goType], c)
	}
	delete(byType, "")
	if len(byType) != len(kinds) {
		report.Errorf("%d typed kinds in the source, %d in this test", len(byType), len(kinds))
	}
	for _, k := range kinds {
		consts := byType[k.goType]
		if len(consts) != len(k.table) {
			report.Errorf("%s: %d constants, %d rows", k.goType, len(consts), len(k.table))
			continue
		}
		for _, c := range consts {
			n := uint16(c.value)
			if !strings.HasPrefix(c.name, k.prefix) {
				report.Errorf("%s: prefix is not %s", c.name, k.prefix)
			}
			if got := k.name(n); got != c.name {
				report.Errorf("%s(%d).String() = %q, the constant is %s", k.goType, n, got, c.name)
			}
			want, ok := ParseVersion(strings.Fields(c.comment)[0])
			if !ok {
				report.Errorf("%s: no version in %q", c.name, c.comment)
			}
			if want.Less(Version{3, 0}) {
				want = Version{}
			}
			if got := k.since(n); got != want {
				report.Errorf("%s.Since() = %v, the comment says %q", c.name, got, c.comment)
			}
		}
	}
}

func TestUnknownAttributes(t *testing.T) {
	report := testrun.Limit(t)
	for _, k := range kinds {
		for _, n := range []uint16{uint16(len(k.table)), 77, 0x3fff, 0xffff} {
			if got, want := k.name(n), fmt.Sprintf("%s%d", k.prefix, n); got != want {
				report.Errorf("%s(%d).String() = %q, want %q", k.goType, n, got, want)
			}
			if got := k.since(n); got != (Version{}) {
				report.Errorf("%s(%d).Since() = %v, want zero", k.goType, n, got)
			}
		}
	}
}

// TestAttributesOnlyGrow: the kernel appends attributes, so a later number is
// never older. Rules are the exception up to FRA_UID_RANGE: they filled numbers
// that were reserved for the layout that they share with routes.
func TestAttributesOnlyGrow(t *testing.T) {
	report := testrun.Limit(t)
	for _, k := range kinds {
		from := 0
		if k.goType == "FRA" {
			from = int(FRA_FWMASK)
		}
		if !slices.IsSortedFunc(k.table[from:], func(a, b attribute) int { return a.since.Compare(b.since) }) {
			report.Errorf("%s: a later attribute is older", k.goType)
		}
	}
}

func TestSince(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		got  Version
		want Version
	}{
		{FRA_DST.Since(), Version{}},
		{FRA_OIFNAME.Since(), Version{}}, // 2.6.33
		{FRA_SUPPRESS_PREFIXLEN.Since(), Version{3, 12}},
		{FRA_TUN_ID.Since(), Version{4, 3}},
		{FRA_L3MDEV.Since(), Version{4, 8}},
		{FRA_UID_RANGE.Since(), Version{4, 10}},
		{FRA_DPORT_RANGE.Since(), Version{4, 17}},
		{FRA_DSCP.Since(), Version{6, 12}},
		{FRA_FLOWLABEL.Since(), Version{6, 14}},
		{FRA_DSCP_MASK.Since(), Version{6, 15}},
		{RTA_NH_ID.Since(), Version{5, 3}},
		{RTA_FLOWLABEL.Since(), Version{6, 14}},
	} {
		if tt.got != tt.want {
			report.Errorf("got %v, want %v", tt.got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		in   string
		want Version
		ok   bool
	}{
		{"6.18.44-fc", Version{6, 18}, true},
		{"6.15", Version{6, 15}, true},
		{"6.12-rc1", Version{6, 12}, true},
		{"6.1+", Version{6, 1}, true},
		{"5.15.0-91-generic", Version{5, 15}, true},
		{"4.18.0-553.el8_10.x86_64", Version{4, 18}, true},
		{"5.15.153.1-microsoft-standard-WSL2", Version{5, 15}, true},
		{"2.6.32", Version{2, 6}, true},
		{"3.0", Version{3, 0}, true},
		{"255.255", Version{255, 255}, true},
		{"", Version{}, false},
		{"6", Version{}, false},
		{"6.", Version{}, false},
		{".6", Version{}, false},
		{"6.x", Version{}, false},
		{"6.1x", Version{}, false},
		{"0.9", Version{}, false},
		{"-6.1", Version{}, false},
		{"+6.1", Version{}, false},
		{" 6.1", Version{}, false},
		{"256.1", Version{}, false},
		{"6.256", Version{}, false},
		{"v6.1", Version{}, false},
	} {
		got, ok := ParseVersion(tt.in)
		if got != tt.want || ok != tt.ok {
			report.Errorf("ParseVersion(%q) = %v, %t, want %v, %t", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// TestVersionOrder also is the contract that the zero version is the oldest: a
// caller may compare without asking for zero first.
func TestVersionOrder(t *testing.T) {
	report := testrun.Limit(t)
	sorted := []Version{{}, {2, 6}, {3, 0}, {3, 12}, {4, 3}, {4, 17}, {6, 1}, {6, 2}, {6, 10}, {7, 0}}
	for i, v := range sorted {
		for j, w := range sorted {
			if got, want := v.Compare(w), cmp.Compare(i, j); got != want {
				report.Errorf("%v.Compare(%v) = %d, want %d", v, w, got, want)
			}
			if got, want := v.Less(w), i < j; got != want {
				report.Errorf("%v.Less(%v) = %t, want %t", v, w, got, want)
			}
		}
	}
	if got := (Version{6, 15}).String(); got != "6.15" {
		report.Errorf("String() = %q, want 6.15", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"6.18.44-fc", "6.12-rc1", "2.6.32", "6.", "256.1", "6.1x", "06.01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseVersion(s)
		if !ok {
			if v != (Version{}) {
				t.Errorf("ParseVersion(%q) = %v and false", s, v)
			}
			return
		}
		again, ok := ParseVersion(v.String())
		if !ok || again != v {
			t.Errorf("ParseVersion(%q) = %v, printed and parsed again %v, %t", s, v, again, ok)
		}
	})
}
