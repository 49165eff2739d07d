package show

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A metric is one of a route's metrics that are a number.
type metric struct {
	bit            route.MetricSet
	value          func(*route.Metrics) uint32
	perMillisecond uint32 // of a time; zero for other metrics
}

// metrics are the metrics in the order of their RTAX_ numbers. Between the two
// parts is RTAX_CC_ALGO, which is a string.
var metrics = [2][]metric{{
	{route.MetricMTU, func(m *route.Metrics) uint32 { return m.MTU }, 0},
	{route.MetricWindow, func(m *route.Metrics) uint32 { return m.Window }, 0},
	{route.MetricRTT, func(m *route.Metrics) uint32 { return uint32(m.RTT) }, 8},
	{route.MetricRTTVar, func(m *route.Metrics) uint32 { return uint32(m.RTTVar) }, 4},
	{route.MetricSSThresh, func(m *route.Metrics) uint32 { return m.SSThresh }, 0},
	{route.MetricCwnd, func(m *route.Metrics) uint32 { return m.Cwnd }, 0},
	{route.MetricAdvMSS, func(m *route.Metrics) uint32 { return m.AdvMSS }, 0},
	{route.MetricReordering, func(m *route.Metrics) uint32 { return m.Reordering }, 0},
	{route.MetricHopLimit, func(m *route.Metrics) uint32 { return m.HopLimit }, 0},
	{route.MetricInitCwnd, func(m *route.Metrics) uint32 { return m.InitCwnd }, 0},
	{route.MetricFeatures, func(m *route.Metrics) uint32 { return uint32(m.Features) }, 0},
	{route.MetricRTOMin, func(m *route.Metrics) uint32 { return uint32(m.RTOMin) }, 1},
	{route.MetricInitRwnd, func(m *route.Metrics) uint32 { return m.InitRwnd }, 0},
	{route.MetricQuickAck, func(m *route.Metrics) uint32 { return m.QuickAck }, 0},
}, {
	{route.MetricFastOpenNoCookie, func(m *route.Metrics) uint32 { return m.FastOpenNoCookie }, 0},
}}

// metricList prints the metrics. Text has a word for a metric that is locked,
// even if the metric is unset; JSON has no locks.
func (p *routePrinter) metricList() {
	if p.metrics == (route.Metrics{}) {
		return
	}
	p.StartArray("metrics")
	p.StartObject("")
	p.metricNumbers(metrics[0])
	if p.hasMetric(route.MetricCongCtl, p.metrics.CongCtl != "") {
		p.metricWord(route.MetricCongCtl)
		p.put("congestion", "", p.metrics.CongCtl)
	}
	p.metricNumbers(metrics[1])
	p.EndObject()
	p.EndArray()
}

func (p *routePrinter) metricNumbers(metrics []metric) {
	for _, x := range metrics {
		v := x.value(&p.metrics)
		if !p.hasMetric(x.bit, v != 0) || x.bit == route.MetricHopLimit && v == noHopLimit {
			continue
		}
		p.metricWord(x.bit)
		switch name := x.bit.String(); {
		case x.bit == route.MetricFeatures:
			p.features(p.metrics.Features)
		case x.perMillisecond == 0:
			putUint(p.printer, name, "", v)
		case p.IsJSON():
			p.Uint(name, "", uint64(v/x.perMillisecond))
		default:
			p.Text(milliseconds(v/x.perMillisecond), " ")
		}
	}
}

// noHopLimit is the hop limit with which old kernels say that there is none.
const noHopLimit = 1<<32 - 1

// hasMetric reports whether a metric is printed.
func (p *routePrinter) hasMetric(bit route.MetricSet, set bool) bool {
	return set || (p.metrics.Zeros | p.metrics.Lock).Has(bit)
}

// metricWord prints the word for a metric in text, and lock if it is locked.
func (p *routePrinter) metricWord(bit route.MetricSet) {
	p.Text(bit.String(), " ")
	if p.metrics.Lock.Has(bit) {
		p.Text("lock ")
	}
}

// milliseconds formats a time. From 1000 ms on it is in seconds, with up to six
// digits.
func milliseconds(ms uint32) string {
	if ms < 1000 {
		return iptext.Decimal(ms) + "ms"
	}
	return general(float64(ms)/1000) + "s"
}

// features prints the names of the features. If there are bits without a name,
// the number of all bits follows.
func (p *routePrinter) features(f route.Features) {
	rest := f
	for _, bit := range []route.Features{route.FeatureECN, route.FeatureTCPUsecTS} {
		if f&bit != 0 {
			p.Null(bit.String(), bit.String()+" ")
			rest &^= bit
		}
	}
	if rest != 0 {
		p.put("features", "", iptext.AltHex(uint32(f)))
	}
}
