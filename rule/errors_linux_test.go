//go:build linux

package rule

import (
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
)

// refusals are what the kernel answers to rules, in its own words. An error
// says the verb, the rule in those of ip(8), and the attribute if the kernel
// points at one: this is the contract.
var refusals = []struct {
	rule  string
	errno syscall.Errno
	want  string
}{
	{"from 10.0.0.0/8 pref 5 goto 1", syscall.EINVAL,
		`rule: add "from 10.0.0.0/8 goto 1 pref 5": invalid argument: Backward goto not supported`},
	{"goto 0 pref 5", syscall.EINVAL,
		`rule: add "from all goto 0 pref 5": invalid argument: Backward goto not supported`},
	{"goto 7 nop", syscall.EINVAL,
		`rule: add "from all goto 7 nop": invalid argument: Unexpected goto`},
	{"sport 0 table 10", syscall.EINVAL,
		`rule: add "from all sport 0 lookup 10": invalid argument: Invalid sport range`},
	{"dport 5-65535 table 10", syscall.EINVAL,
		`rule: add "from all dport 5-65535 lookup 10": invalid argument: Invalid dport range`},
	{"sport 1-2/0xff table 10", syscall.EINVAL,
		`rule: add "from all sport 1-2/0xff lookup 10": invalid argument: Cannot specify port mask for port range (FRA_SPORT_MASK)`},
	{"dport 7/3 table 10", syscall.EINVAL,
		`rule: add "from all dport 0x7/0x3 lookup 10": invalid argument: Invalid port mask (FRA_DPORT_MASK)`},
	{"uidrange 5-4 table 10", syscall.EINVAL,
		`rule: add "from all uidrange 5-4 lookup 10": invalid argument: Invalid uid range`},
	{"uidrange 0-4294967295 table 10", syscall.EINVAL,
		`rule: add "from all uidrange 0-4294967295 lookup 10": invalid argument: Invalid uid range`},
	{"dscp 64 table 10", syscall.ERANGE,
		`rule: add "from all lookup 10 dscp 64": numerical result out of range: Error parsing msg (FRA_DSCP)`},
	{"dscp 5/2 table 10", syscall.EINVAL,
		`rule: add "from all lookup 10 dscp 0x5/0x2": invalid argument: Invalid DSCP mask (FRA_DSCP_MASK)`},
	{"dscp 5 tos 10 table 10", syscall.EINVAL,
		`rule: add "from all tos 0x10 lookup 10 dscp 5": invalid argument: Cannot specify both TOS and DSCP`},
	{"tos 13 table 10", syscall.EINVAL,
		`rule: add "from all tos 0x13 lookup 10": invalid argument: Invalid dsfield (tos): ECN bits must be 0`},
	{"flowlabel 5 table 10", syscall.EINVAL,
		`rule: add "from all lookup 10 flowlabel 0x5": invalid argument: Flow label cannot be specified for IPv4 FIB rules`},
	{"-6 flowlabel 0x100000 table 10", syscall.EINVAL,
		`rule: add "-6 from all lookup 10 flowlabel 0x100000": invalid argument: Flow label and mask do not match`},
	{"l3mdev table 10", syscall.EINVAL,
		`rule: add "from all l3mdev lookup 10": invalid argument: l3mdev and table are mutually exclusive`},
	{"-f mpls table 10", syscall.EAFNOSUPPORT,
		`rule: add "-f mpls from all lookup 10": address family not supported by protocol: Rule family not supported`},
	{"pref 100 from 10.0.0.0/8 table 10", syscall.EEXIST,
		`rule: add "from 10.0.0.0/8 lookup 10 pref 100": file exists`},
}

func TestKernelErrorText(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	add(t, c, "from 10.0.0.0/8 table 10 pref 100")
	before := list(t, c, Filter{})
	for _, tt := range refusals {
		if r := parse(t, tt.rule); lacks(t, r) != 0 {
			wantUnsupported(t, c, r)
			continue
		}
		err := Add(t.Context(), c, parse(t, tt.rule))
		if err == nil || err.Error() != tt.want || !errors.Is(err, tt.errno) {
			report.Errorf("%s:\n got %v\nwant %s", tt.rule, err, tt.want)
		}
		var op *netlink.OpError
		if !errors.As(err, &op) || !strings.Contains(tt.want, op.Message) {
			report.Errorf("%s: no *netlink.OpError with the kernel's words: %v", tt.rule, err)
		}
		if errors.Is(err, fs.ErrExist) != (tt.errno == syscall.EEXIST) {
			report.Errorf("%s: fs.ErrExist: %v", tt.rule, err)
		}
	}
	err := Delete(t.Context(), c, parse(t, "pref 5 from 10.0.0.0/8 table 10"))
	want := `rule: delete "from 10.0.0.0/8 lookup 10 pref 5": no such rule: file does not exist`
	if err == nil || err.Error() != want {
		report.Errorf("\n got %v\nwant %s", err, want)
	}
	_, err = List(t.Context(), c, Filter{Family: 99})
	want = "rule: list: address family not supported by protocol"
	if err == nil || err.Error() != want || !errors.Is(err, syscall.EAFNOSUPPORT) {
		report.Errorf("\n got %v\nwant %s", err, want)
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		report.Errorf("refusals changed the rules (-before +after):\n%s", diff)
	}
}

// What the kernel would accept and understand differently is not sent at all.
func TestKernelRefusedHere(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	for _, tt := range []struct {
		rule Rule
		want string
	}{
		{Rule{From: netip.MustParsePrefix("10.0.0.0/8")},
			`rule: add "from 10.0.0.0/8 lookup 0": the action lookup needs a table`},
		{Rule{Table: 10, From: netip.MustParsePrefix("192.0.2.1/0")},
			`rule: add "from 192.0.2.1/0 lookup 10": from 192.0.2.1/0 matches every packet: use the length 32 for a single address`},
		{Rule{Table: 10, To: netip.MustParsePrefix("2001:db8::1/0")},
			`rule: add "from all to 2001:db8::1/0 lookup 10": to 2001:db8::1/0 matches every packet: use the length 128 for a single address`},
		{Rule{Family: route.IPv6, Table: 10, From: netip.MustParsePrefix("10.0.0.0/8")},
			`rule: add "-6 from 10.0.0.0/8 lookup 10": FRA_SRC: 10.0.0.0/8 is not a prefix of family inet6`},
		{Rule{Table: 10, IIF: "an-interface-of-24-bytes"},
			`rule: add "from all iif an-interface-of-24-bytes lookup 10": ` +
				`FRA_IIFNAME: interface name "an-interface-of-24-bytes" is longer than 15 bytes`},
	} {
		if err := Add(t.Context(), c, tt.rule); err == nil || err.Error() != tt.want {
			report.Errorf("\n got %v\nwant %s", err, tt.want)
		}
	}
	if diff := cmp.Diff(before, list(t, c, Filter{})); diff != "" {
		report.Errorf("refusals changed the rules (-before +after):\n%s", diff)
	}
}

// Without CAP_NET_ADMIN rules can be listed, and neither added nor deleted.
func TestKernelPermission(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "pref 5 table 10")
	r := parse(t, "pref 5 table 10")
	got := make(chan [3]error, 1)
	go func() { got <- withoutCapabilities(t, ns, r) }()
	errs := <-got
	for _, err := range errs[:2] {
		if !errors.Is(err, fs.ErrPermission) {
			report.Errorf("want fs.ErrPermission: %v", err)
		}
	}
	if errs[2] != nil {
		report.Errorf("list: %v", errs[2])
	}
	wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, "5: from all lookup 10", ruleMain, ruleDefault)
}

// withoutCapabilities tries the verbs on a thread that has none, and that ends
// with the goroutine, since it stays locked to it.
func withoutCapabilities(t *testing.T, ns *lab.NS, r Rule) (errs [3]error) {
	runtime.LockOSThread()
	c, err := route.Dial(ns.Config())
	if err != nil {
		return [3]error{err, err, err}
	}
	defer c.Close()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		return [3]error{err, err, err}
	}
	errs[0] = Add(t.Context(), c, r)
	errs[1] = Delete(t.Context(), c, r)
	_, errs[2] = List(t.Context(), c, Filter{})
	return errs
}
