package route

import (
	"encoding"
	"fmt"
	"testing"
)

// textValue is what every enumeration and every set of bits has.
type textValue[V any] interface {
	*V
	fmt.Stringer
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

// checkTexts checks that String gives the texts of values, that other values have
// a text, and that each text gives its value back.
func checkTexts[V ~uint8 | ~uint16 | ~uint32, P textValue[V]](t *testing.T, wrong string, texts map[V]string) {
	t.Helper()
	for v, want := range texts {
		if got := P(&v).String(); got != want {
			t.Errorf("%T %d: %q, want %q", v, uint32(v), got, want)
		}
	}
	for n := range uint64(1 << 10) {
		for _, v := range []V{V(n), ^V(n), V(n << 8), V(n << 16)} {
			b, err := P(&v).MarshalText()
			if err != nil || string(b) != P(&v).String() {
				t.Fatalf("%T %d: %q, %v, want %q", v, uint32(v), b, err, P(&v).String())
			}
			back := ^v
			if err := P(&back).UnmarshalText(b); err != nil || back != v {
				t.Fatalf("%T %d: %q is %d, %v", v, uint32(v), b, uint32(back), err)
			}
		}
	}
	v := V(5)
	if err := P(&v).UnmarshalText([]byte(wrong)); err == nil || v != 5 {
		t.Errorf("%T: %q is %d, %v", v, wrong, uint32(v), err)
	}
}

// Every value of an enumeration, and of a set of bits, has a text that gives it
// back.
func TestTexts(t *testing.T) {
	checkTexts(t, "inet7", map[Family]string{0: "unspec", IPv4: "inet", IP6MR: "ip6mr", 99: "99"})
	checkTexts(t, "statc", map[Protocol]string{ProtoUnspec: "unspec", ProtoStatic: "static", 210: "210"})
	checkTexts(t, "256", map[Type]string{0: "none", TypeUnicast: "unicast", 99: "99"})
	checkTexts(t, "lnk", map[Scope]string{ScopeGlobal: "global", ScopeNowhere: "nowhere", 77: "77"})
	checkTexts(t, "tpc", map[IPProto]string{TCP: "tcp", 200: "200"})
	checkTexts(t, "", map[Preference]string{PrefMedium: "medium", 7: "7"})
	checkTexts(t, "add", map[EventKind]string{Added: "added", Replaced: "replaced", Deleted: "deleted", 0: "0", 9: "9"})
	checkTexts(t, "65536", map[EncapType]string{EncapTypeSeg6Local: "seg6local", EncapTypeBPF: "bpf", 300: "300"})
	checkTexts(t, "encap.", map[Seg6Mode]string{Seg6EncapRed: "encap.red", 1 << 20: "1048576"})
	checkTexts(t, "End.Q", map[Seg6Action]string{Seg6EndDX4: "End.DX4", 99: "99"})
	checkTexts(t, "onlnk", map[Flags]string{0: "", FlagOnLink | FlagDead: "dead onlink", FlagOnLink | 1<<30: "onlink flags 0x40000000"})
	checkTexts(t, "flags", map[Flags]string{1 << 30: "flags 0x40000000"})
	checkTexts(t, "ecn,", map[Features]string{FeatureECN: "ecn", FeatureECN | FeatureTCPUsecTS | 8: "ecn tcp_usec_ts 0x8"})
	checkTexts(t, "mtu advms", map[MetricSet]string{MetricMTU | MetricAdvMSS: "mtu advmss", MetricCongCtl | MetricLock | 1: "congctl lock 0x1"})
	checkTexts(t, "0x10000", map[TunnelFlags]string{TunnelKey | TunnelSeq: "key seq", 0x4000 | TunnelCsum: "csum 0x4000"})
	checkTexts(t, "psp,psq", map[Seg6FlavorOps]string{Seg6PSP | Seg6NextCSID: "psp,next-csid", 1: "0x1"})
}
