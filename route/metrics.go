package route

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Metrics are settings of a route for the protocols above IP, mainly TCP: the
// attributes RTAX_* inside RTA_METRICS. For the kernel, a metric of zero is unset,
// and it uses its default. The zero Metrics sets nothing.
//
// The comment of a field names the word of ip-route(8) and the attribute.
type Metrics struct {
	// MTU is the size of the largest packet on the path, in bytes: mtu. The
	// kernel limits it to 65520. (RTAX_MTU)
	MTU uint32
	// Window is the largest receive window to offer, in bytes: window.
	// (RTAX_WINDOW)
	Window uint32
	// RTT is the initial estimate of the round-trip time, in units of 1/8 ms: rtt.
	// (RTAX_RTT)
	RTT RTT
	// RTTVar is the initial estimate of the variance of the round-trip time, in units of
	// 1/4 ms: rttvar. (RTAX_RTTVAR)
	RTTVar RTTVar
	// SSThresh is the initial slow start threshold, in segments: ssthresh. (RTAX_SSTHRESH)
	SSThresh uint32
	// Cwnd is the largest congestion window, in segments: cwnd. The kernel uses
	// it only if it is locked. (RTAX_CWND)
	Cwnd uint32
	// AdvMSS is the segment size to advertise, in bytes: advmss. The kernel
	// limits it to 65495. (RTAX_ADVMSS)
	AdvMSS uint32
	// Reordering is how far segments can arrive out of order, in segments:
	// reordering. (RTAX_REORDERING)
	Reordering uint32
	// HopLimit is the TTL or hop limit of sent packets: hoplimit, up to 255.
	// (RTAX_HOPLIMIT)
	HopLimit uint32
	// InitCwnd is the congestion window of a new connection, in segments:
	// initcwnd. (RTAX_INITCWND)
	InitCwnd uint32
	// Features is a set of FeatureECN and FeatureTCPUsecTS: features.
	// (RTAX_FEATURES)
	Features Features
	// RTOMin is the least retransmission timeout, in ms: rto_min. The kernel uses
	// it only if it is locked; ip(8) always locks it. See Lock.
	// (RTAX_RTO_MIN)
	RTOMin RTO
	// InitRwnd is the receive window of a new connection, in segments:
	// initrwnd. (RTAX_INITRWND)
	InitRwnd uint32
	// QuickAck is 1 to acknowledge segments at once: quickack. Linux 3.11.
	// (RTAX_QUICKACK)
	QuickAck uint32
	// CongCtl is the congestion control algorithm, such as cubic: congctl.
	// Empty: that of the system. Linux 4.0. (RTAX_CC_ALGO)
	CongCtl string
	// FastOpenNoCookie is 1 to use TCP Fast Open without a cookie:
	// fastopen_no_cookie. Linux 4.15. (RTAX_FASTOPEN_NO_COOKIE)
	FastOpenNoCookie uint32

	// Lock is the set of metrics that the kernel must keep even if it learns other values,
	// such as a smaller path MTU: lock. (RTAX_LOCK)
	Lock MetricSet
	// Zeros is the set of metrics that are sent with the value zero, as for mtu
	// 0. Their fields must be zero. The kernel does not report them.
	Zeros MetricSet
	// Unknown holds the metrics that this package has no field for. Every kernel
	// refuses metrics that it does not know.
	Unknown Attributes
}

// A MetricSet is a set of metrics. Bit n stands for the RTAX_ number n.
type MetricSet uint32

// The metrics.
const (
	MetricLock             MetricSet = 1 << uapi.RTAX_LOCK // Metrics.Lock itself, in Zeros
	MetricMTU              MetricSet = 1 << uapi.RTAX_MTU
	MetricWindow           MetricSet = 1 << uapi.RTAX_WINDOW
	MetricRTT              MetricSet = 1 << uapi.RTAX_RTT
	MetricRTTVar           MetricSet = 1 << uapi.RTAX_RTTVAR
	MetricSSThresh         MetricSet = 1 << uapi.RTAX_SSTHRESH
	MetricCwnd             MetricSet = 1 << uapi.RTAX_CWND
	MetricAdvMSS           MetricSet = 1 << uapi.RTAX_ADVMSS
	MetricReordering       MetricSet = 1 << uapi.RTAX_REORDERING
	MetricHopLimit         MetricSet = 1 << uapi.RTAX_HOPLIMIT
	MetricInitCwnd         MetricSet = 1 << uapi.RTAX_INITCWND
	MetricFeatures         MetricSet = 1 << uapi.RTAX_FEATURES
	MetricRTOMin           MetricSet = 1 << uapi.RTAX_RTO_MIN
	MetricInitRwnd         MetricSet = 1 << uapi.RTAX_INITRWND
	MetricQuickAck         MetricSet = 1 << uapi.RTAX_QUICKACK
	MetricCongCtl          MetricSet = 1 << uapi.RTAX_CC_ALGO
	MetricFastOpenNoCookie MetricSet = 1 << uapi.RTAX_FASTOPEN_NO_COOKIE
)

// allMetrics is the set of metrics that Metrics has a field for.
const allMetrics = MetricFastOpenNoCookie<<1 - 1 - 1<<uapi.RTAX_UNSPEC

// Has reports whether all metrics of o are in s.
func (s MetricSet) Has(o MetricSet) bool { return s&o == o }

// metricNames are the words of ip-route(8) for the metrics, and lock for
// MetricLock.
var metricNames = func() (names iptext.Bits) {
	for _, x := range metrics {
		name := x.word
		switch x.num {
		case uapi.RTAX_FASTOPEN_NO_COOKIE: // after RTAX_CC_ALGO, which is a string
			names = append(names, iptext.BitName{Bit: uint32(MetricCongCtl), Name: congctlWord})
		case uapi.RTAX_LOCK:
			name = lockWord
		}
		names = append(names, iptext.BitName{Bit: 1 << x.num, Name: name})
	}
	return names
}()

// String returns the words of ip-route(8) for the metrics, such as "mtu
// advmss", in the order of their numbers; MetricLock, which is lock, is the last.
// Other bits follow as a hexadecimal number.
func (s MetricSet) String() string { return metricNames.Text(uint32(s), " ") }

// MarshalText returns what String does.
func (s MetricSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String returns.
func (s *MetricSet) UnmarshalText(text []byte) error {
	return iptext.UnmarshalBits(metricNames, 32, "route", "a set of metrics", text, " ", s)
}

// An RTT is a round-trip time in the kernel's units, 1/8 ms.
type RTT uint32

// An RTTVar is the variance of a round-trip time in the kernel's units, 1/4 ms.
type RTTVar uint32

// An RTO is a retransmission timeout in the kernel's units, 1 ms.
type RTO uint32

// Units in a millisecond.
const (
	perMsRTT    = 8
	perMsRTTVar = 4
	perMsRTO    = 1
)

// MakeRTT returns the RTT for d, rounded up to a whole number of units. If d is
// negative, the result is the smallest RTT; if d is too long, it is the largest.
func MakeRTT(d time.Duration) RTT { return RTT(units(d, perMsRTT)) }

// MakeRTTVar returns the RTTVar for d, rounded and limited as [MakeRTT] does.
func MakeRTTVar(d time.Duration) RTTVar { return RTTVar(units(d, perMsRTTVar)) }

// MakeRTO returns the RTO for d, rounded and limited as [MakeRTT] does.
func MakeRTO(d time.Duration) RTO { return RTO(units(d, perMsRTO)) }

// units returns d in units, of which a millisecond has several.
func units(d time.Duration, perMillisecond time.Duration) uint32 {
	unit := time.Millisecond / perMillisecond
	n := d / unit
	if d%unit > 0 {
		n++
	}
	return uint32(min(max(n, 0), 1<<32-1))
}

// Duration returns t, without rounding.
func (t RTT) Duration() time.Duration { return time.Duration(t) * (time.Millisecond / perMsRTT) }

// Duration returns t, without rounding.
func (t RTTVar) Duration() time.Duration {
	return time.Duration(t) * (time.Millisecond / perMsRTTVar)
}

// Duration returns t, without rounding.
func (t RTO) Duration() time.Duration { return time.Duration(t) * (time.Millisecond / perMsRTO) }

// Features is a set of features that a route switches on: RTAX_FEATURE_*.
type Features uint32

// The features. The kernel has others that do nothing.
const (
	FeatureECN       Features = uapi.RTAX_FEATURE_ECN         // explicit congestion notification
	FeatureTCPUsecTS Features = uapi.RTAX_FEATURE_TCP_USEC_TS // TCP timestamps in µs; Linux 6.7
)

var features = iptext.Bits{
	{Bit: uint32(FeatureECN), Name: "ecn"},
	{Bit: uint32(FeatureTCPUsecTS), Name: "tcp_usec_ts"},
}

// String returns the words of ip-route(8) for the features, with blanks between
// them. Other bits follow as a hexadecimal number.
func (f Features) String() string { return features.Text(uint32(f), " ") }

// MarshalText returns what String does.
func (f Features) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String returns.
func (f *Features) UnmarshalText(text []byte) error {
	return iptext.UnmarshalBits(features, 32, "route", "features", text, " ", f)
}

// A metric is one of the metrics that are a number.
type metric struct {
	num            uapi.RTAX
	word           string
	at             func(*Metrics) *uint32
	perMillisecond uint32 // of a time; zero for other metrics
	max            uint32 // that the word takes; zero for any
}

// metrics are the metrics that are a number, ordered by RTAX_ number.
var metrics = [...]metric{
	{num: uapi.RTAX_MTU, word: "mtu", at: func(m *Metrics) *uint32 { return &m.MTU }},
	{num: uapi.RTAX_WINDOW, word: "window", at: func(m *Metrics) *uint32 { return &m.Window }},
	{num: uapi.RTAX_RTT, word: "rtt", at: func(m *Metrics) *uint32 { return (*uint32)(&m.RTT) }, perMillisecond: perMsRTT},
	{num: uapi.RTAX_RTTVAR, word: "rttvar", at: func(m *Metrics) *uint32 { return (*uint32)(&m.RTTVar) }, perMillisecond: perMsRTTVar},
	{num: uapi.RTAX_SSTHRESH, word: "ssthresh", at: func(m *Metrics) *uint32 { return &m.SSThresh }},
	{num: uapi.RTAX_CWND, word: "cwnd", at: func(m *Metrics) *uint32 { return &m.Cwnd }},
	{num: uapi.RTAX_ADVMSS, word: "advmss", at: func(m *Metrics) *uint32 { return &m.AdvMSS }},
	{num: uapi.RTAX_REORDERING, word: "reordering", at: func(m *Metrics) *uint32 { return &m.Reordering }},
	{num: uapi.RTAX_HOPLIMIT, word: "hoplimit", at: func(m *Metrics) *uint32 { return &m.HopLimit }, max: 255},
	{num: uapi.RTAX_INITCWND, word: "initcwnd", at: func(m *Metrics) *uint32 { return &m.InitCwnd }},
	{num: uapi.RTAX_FEATURES, word: "features", at: func(m *Metrics) *uint32 { return (*uint32)(&m.Features) }},
	{num: uapi.RTAX_RTO_MIN, word: "rto_min", at: func(m *Metrics) *uint32 { return (*uint32)(&m.RTOMin) }, perMillisecond: perMsRTO},
	{num: uapi.RTAX_INITRWND, word: "initrwnd", at: func(m *Metrics) *uint32 { return &m.InitRwnd }},
	{num: uapi.RTAX_QUICKACK, word: "quickack", at: func(m *Metrics) *uint32 { return &m.QuickAck }, max: 1},
	{num: uapi.RTAX_FASTOPEN_NO_COOKIE, word: "fastopen_no_cookie",
		at: func(m *Metrics) *uint32 { return &m.FastOpenNoCookie }, max: 1},
	{num: uapi.RTAX_LOCK, word: locksWord, at: func(m *Metrics) *uint32 { return (*uint32)(&m.Lock) }},
}

// metricsCodec has the attributes inside RTA_METRICS.
var metricsCodec = attr.NewCodec(func(m *Metrics) *Attributes { return &m.Unknown }, metricRows()...)

// metricRows returns the rows, with RTAX_LOCK at the end as in ip(8).
func metricRows() []attr.Row[Metrics] {
	var rows []attr.Row[Metrics]
	for _, x := range metrics {
		if x.num == uapi.RTAX_LOCK {
			rows = append(rows, attr.Func(uapi.RTAX_CC_ALGO, putCongCtl, getCongCtl))
		}
		rows = append(rows, attr.Func(x.num,
			func(b []byte, m *Metrics) ([]byte, bool, error) {
				v := *x.at(m)
				set, err := m.isSet(x.num, v != 0)
				return binary.NativeEndian.AppendUint32(b, v), set, err
			},
			func(p []byte, m *Metrics) error {
				v := x.at(m)
				if err := attr.DecodeU32(p, v); err != nil {
					return err
				}
				m.setZero(x.num, *v == 0)
				return nil
			}))
	}
	return rows
}

var errNotZero = errors.New("is in Zeros, but its value is not zero")

// isSet reports whether a metric is sent.
func (m *Metrics) isSet(num uapi.RTAX, value bool) (bool, error) {
	zero := m.Zeros&(1<<num) != 0
	if value && zero {
		return true, errNotZero
	}
	return value || zero, nil
}

// setZero puts a metric into Zeros or takes it out.
func (m *Metrics) setZero(num uapi.RTAX, zero bool) {
	m.Zeros &^= 1 << num
	if zero {
		m.Zeros |= 1 << num
	}
}

// RTAX_CC_ALGO ends with a NUL if the kernel sends it, and without one if ip(8)
// does.
func putCongCtl(b []byte, m *Metrics) ([]byte, bool, error) {
	set, err := m.isSet(uapi.RTAX_CC_ALGO, m.CongCtl != "")
	if err == nil && m.CongCtl != "" && !isName(m.CongCtl) {
		err = fmt.Errorf("%q is not a name", m.CongCtl)
	}
	return append(b, m.CongCtl...), set, err
}

func getCongCtl(p []byte, m *Metrics) error {
	s, _, _ := strings.Cut(string(p), "\x00")
	if s != "" && !isName(s) {
		keepUnknown(&m.Unknown, uapi.RTAX_CC_ALGO, p)
		return nil
	}
	m.CongCtl = s
	m.setZero(uapi.RTAX_CC_ALGO, s == "")
	return nil
}

// isName reports whether s can be an argument: printable ASCII, and not the word
// lock, which can come before it.
func isName(s string) bool {
	return s != "" && s != lockWord && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// ip(8) and the kernel write RTA_METRICS without NLA_F_NESTED.
func putMetrics(b []byte, m *message) ([]byte, bool, error) {
	if deref(m.Metrics) == (Metrics{}) {
		return b, false, nil
	}
	if m.Metrics.Zeros&^allMetrics != 0 {
		return b, true, errors.New("no such metric is in Zeros")
	}
	b, err := metricsCodec.Append(b, m.Metrics)
	return b, true, err
}

func getMetrics(p []byte, m *message) error {
	m.Metrics = new(Metrics)
	return metricsCodec.Decode(p, m.Metrics)
}

// The limits that the kernel sets to larger values.
const (
	maxMTU      = 65535 - 15
	maxAdvMSS   = 65535 - 40
	maxHopLimit = 255
)

// canonical returns what the kernel reports of m, or nil if that is nothing.
func (m *Metrics) canonical() *Metrics {
	if m = m.clamp(); m != nil {
		m.Zeros = 0
	}
	return nilIfZero(m)
}

// clamp returns m with the kernel's limits.
func (m *Metrics) clamp() *Metrics {
	if m == nil {
		return nil
	}
	c := *m
	c.MTU = min(c.MTU, maxMTU)
	c.AdvMSS = min(c.AdvMSS, maxAdvMSS)
	c.HopLimit = min(c.HopLimit, maxHopLimit)
	return &c
}
