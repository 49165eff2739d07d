//go:build linux

package rule

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// rawMessage makes a message with any number in each field, as any program can send it.
// The kernel refuses most of them.
func (g generator) rawMessage() []byte {
	b := make([]byte, uapi.SizeofFibRuleHdr)
	b[uapi.FibRuleHdrFamily] = pick[uint8](g, uapi.AF_INET, uapi.AF_INET6)
	size, anyU8 := 4, func() byte { return pick(g, 0, 1, 2, byte(g.IntN(256)), 255) }
	if b[uapi.FibRuleHdrFamily] == uapi.AF_INET6 {
		size = 16
	}
	if g.maybe(4) {
		b[uapi.FibRuleHdrTOS] = anyU8()
	}
	b[uapi.FibRuleHdrTable], b[uapi.FibRuleHdrAction] = anyU8(), pick[byte](g, 1, 1, uapi.FR_ACT_GOTO, anyU8())
	binary.NativeEndian.PutUint32(b[uapi.FibRuleHdrFlags:], pick(g, 0, 0, uapi.FIB_RULE_INVERT, g.Uint32()&^uapi.FIB_RULE_PERMANENT)) // or Delete cannot take it away
	payload := func(n int) []byte {
		p := make([]byte, n)
		switch g.IntN(4) {
		case 0: // zeros
		case 1:
			for i := range p {
				p[i] = 0xff
			}
		case 2:
			p[g.IntN(n)] = byte(g.Uint32())
		default:
			for i := range p {
				p[i] = byte(g.Uint32())
			}
		}
		return p
	}
	prefix := func(length int, num uint16) {
		if g.maybe(3) {
			b[length] = byte(g.IntN(8*size + 1))
			b = attr.Append(b, num, payload(size))
		}
	}
	prefix(uapi.FibRuleHdrDstLen, uint16(uapi.FRA_DST))
	prefix(uapi.FibRuleHdrSrcLen, uint16(uapi.FRA_SRC))
	sizes := map[uapi.FRA]int{
		uapi.FRA_IIFNAME: 1 + g.IntN(uapi.IFNAMSIZ), uapi.FRA_OIFNAME: 1 + g.IntN(uapi.IFNAMSIZ),
		uapi.FRA_TUN_ID: 8, uapi.FRA_L3MDEV: 1, uapi.FRA_UID_RANGE: 8, uapi.FRA_PROTOCOL: 1, uapi.FRA_IP_PROTO: 1,
		uapi.FRA_DSCP: 1, uapi.FRA_DSCP_MASK: 1, uapi.FRA_SPORT_MASK: 2, uapi.FRA_DPORT_MASK: 2,
	}
	for num := uapi.FRA_IIFNAME; num < uapi.FRA_DSCP_MASK+5; num++ {
		n, ok := sizes[num]
		if !ok {
			n = 4
		}
		if !g.maybe(8) || num == uapi.FRA_GOTO && !g.maybe(4) {
			continue
		}
		p := payload(n)
		switch num {
		case uapi.FRA_L3MDEV:
			p[0], b[uapi.FibRuleHdrTable] = 1, 0
		case uapi.FRA_IIFNAME, uapi.FRA_OIFNAME:
			// The kernel compares, and does not report, what follows a NUL.
			p = append(bytes.ReplaceAll(p[1:], []byte{0}, []byte{0x80}), 0)
		case uapi.FRA_UID_RANGE:
			p = make([]byte, n) // other users need not exist
		}
		b = attr.Append(b, uint16(num), p)
	}
	return b
}

// Whatever the kernel accepts from anyone, it lists as a rule that comes back from its
// text, and that Delete takes away, unless the kernel would take another one for it.
func TestKernelRaw(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	_, c := kernel(t)
	before := list(t, c, Filter{})
	g := newGenerator(3)
	accepted := 0
	for range 6000 {
		m := netlink.Message{
			Header: netlink.Header{Type: uapi.RTM_NEWRULE, Flags: netlink.Request | netlink.Acknowledge | netlink.Create},
			Data:   g.rawMessage(),
		}
		if _, err := c.Execute(m); err == nil {
			accepted++
		}
	}
	t.Logf("%d messages accepted", accepted)
	if accepted < 500 {
		t.Errorf("the kernel accepts only %d messages", accepted)
	}
	rules, err := List(t.Context(), c, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var d Deleter
	for _, r := range rules {
		r.Flags = 0
		if back, err := Parse(r.String(), nil); err != nil || back != r {
			report.Errorf("%q: %v\n got %+v\nwant %+v", r, err, back, r)
		}
		if again := r.Canonical(); again != r {
			report.Errorf("%q is listed in another form than its canonical one, %q:\n got %+v\nwant %+v", r, again, r, again)
		}
		if slices.Contains(before, r.String()) {
			continue
		}
		var hidden *hiddenError
		if err := d.Delete(t.Context(), c, r); err != nil && !errors.As(err, &hidden) {
			report.Errorf("%q: %v", r, err)
		}
	}
}
