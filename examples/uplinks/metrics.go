package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/table/maintain"
)

// A metric is a metric family: a name with values.
type metric struct {
	name string // without _total
	kind string // counter or gauge
	unit string // the last word of the name, or ""
	help string

	samples []metricSample
}

// A metricSample is one value of a metric.
type metricSample struct {
	labels []metricLabel
	value  float64
}

// A metricLabel is a label of a value.
type metricLabel struct{ name, value string }

// Kinds of metrics.
const (
	counter = "counter"
	gauge   = "gauge"
)

// metrics makes the report that metrics prints. That uplinks are not complete is one of the
// values, not a failure.
func (s *session) metrics() (int, error) {
	if _, err := s.status(); err != nil {
		return exitFailure, err
	}
	return exitOK, nil
}

// metricsOf returns the metrics of uplinks, and those of the process that maintains them, if
// there is one. If isKnown is false, it is not known whether there is one.
func metricsOf(entries []*entry, replies *replyReport, m *maintainer, isKnown bool) []metric {
	all := slices.Concat(uplinkMetrics(entries, m), replyMetrics(replies), processMetrics(m, isKnown))
	var some []metric
	for _, x := range all {
		if len(x.samples) > 0 {
			some = append(some, x)
		}
	}
	return some
}

// replyMetrics returns the metrics of the policy for answers, if its state is known.
func replyMetrics(r *replyReport) []metric {
	if r == nil || r.State == stateUnknown {
		return nil
	}
	return []metric{{"uplinks_reply_up", gauge, "", "Whether the policy for answers is completely installed.",
		[]metricSample{{nil, oneIf(r.State == stateComplete)}}}}
}

// uplinkMetrics returns the metrics that have a value for each uplink.
func uplinkMetrics(entries []*entry, m *maintainer) []metric {
	u := uplinkSamples{entries, m}
	return append(u.stateMetrics(), u.trafficMetrics()...)
}

// uplinkSamples make the samples of metrics that have a value for each uplink.
type uplinkSamples struct {
	entries []*entry
	m       *maintainer
}

// each returns the values of the uplinks that have one. The status of an uplink that no process
// maintains is nil.
func (u uplinkSamples) each(value func(e *entry, l *lineStatus) (float64, bool)) (samples []metricSample) {
	for _, e := range u.entries {
		if v, ok := value(e, u.m.status(e)); ok {
			samples = append(samples, metricSample{[]metricLabel{{"name", e.Name}, {"family", e.Family}}, v})
		}
	}
	return samples
}

// number returns the values of a counter of the process.
func (u uplinkSamples) number(value func(l *lineStatus) uint64) []metricSample {
	return u.each(func(_ *entry, l *lineStatus) (float64, bool) {
		if l == nil {
			return 0, false
		}
		return float64(value(l)), true
	})
}

// probe returns values of the last probe.
func (u uplinkSamples) probe(value func(l *lineStatus) float64) []metricSample {
	return u.each(func(_ *entry, l *lineStatus) (float64, bool) {
		if l == nil || l.LastProbe.IsZero() {
			return 0, false
		}
		return value(l), true
	})
}

// bytes returns the values of a counter of the interface.
func (u uplinkSamples) bytes(value func(t *traffic) uint64) []metricSample {
	return u.each(func(e *entry, _ *lineStatus) (float64, bool) {
		if e.Traffic == nil {
			return 0, false
		}
		return float64(value(e.Traffic)), true
	})
}

// stateMetrics returns the metrics of the states, the probes and the repairs.
func (u uplinkSamples) stateMetrics() []metric {
	return []metric{
		{"uplinks_uplink_up", gauge, "", "Whether the uplink is complete: all of its rules and routes are installed and in force.",
			u.each(func(e *entry, _ *lineStatus) (float64, bool) { return oneIf(e.State == stateComplete), true })},
		{"uplinks_uplink_healthy", gauge, "", "Whether the probes of the uplink succeed.",
			u.each(func(_ *entry, l *lineStatus) (float64, bool) {
				if l == nil || l.Health != maintain.EventHealthy.String() && l.Health != maintain.EventUnhealthy.String() {
					return 0, false
				}
				return oneIf(l.Health == maintain.EventHealthy.String()), true
			})},
		{"uplinks_uplink_probe_duration_seconds", gauge, "seconds", "How long the last probe took.",
			u.probe(func(l *lineStatus) float64 { return l.ProbeSeconds })},
		{"uplinks_uplink_last_probe_timestamp_seconds", gauge, "seconds", "When the last probe ended.",
			u.probe(func(l *lineStatus) float64 { return float64(l.LastProbe.UnixMilli()) / 1000 })},
		{"uplinks_uplink_probes", counter, "", "Probes of the uplink.", u.number(func(l *lineStatus) uint64 { return l.Probes })},
		{"uplinks_uplink_probe_failures", counter, "", "Probes of the uplink that failed.",
			u.number(func(l *lineStatus) uint64 { return l.ProbeFailures })},
		{"uplinks_uplink_repairs", counter, "", "How often the uplink was repaired.", u.number(func(l *lineStatus) uint64 { return l.Repairs })},
		{"uplinks_uplink_failures", counter, "", "Failures of the uplink, as in the log.",
			u.number(func(l *lineStatus) uint64 { return l.Failures })},
		{"uplinks_uplink_fights", counter, "", "How often repairs of the uplink had to be limited.",
			u.number(func(l *lineStatus) uint64 { return l.Fights })},
	}
}

// trafficMetrics returns the metrics of the connections and the packets.
func (u uplinkSamples) trafficMetrics() []metric {
	return []metric{
		{"uplinks_uplink_connections", gauge, "", "Established TCP connections of this host from the sources of the uplink.",
			u.each(func(e *entry, _ *lineStatus) (float64, bool) {
				if e.Connections == nil {
					return 0, false
				}
				return float64(*e.Connections), true
			})},
		{"uplinks_uplink_reply_clients", gauge, "", "Clients of UDP servers that are remembered for the sources of the uplink.",
			u.each(func(e *entry, _ *lineStatus) (float64, bool) {
				if e.ReplyClients == nil {
					return 0, false
				}
				return float64(*e.ReplyClients), true
			})},
		{"uplinks_uplink_receive_bytes", counter, "bytes", "Bytes that the interface of the uplink has received.",
			u.bytes(func(t *traffic) uint64 { return t.ReceivedBytes })},
		{"uplinks_uplink_transmit_bytes", counter, "bytes", "Bytes that the interface of the uplink has sent.",
			u.bytes(func(t *traffic) uint64 { return t.SentBytes })},
	}
}

// processMetrics returns the metrics of the process that maintains the uplinks.
func processMetrics(m *maintainer, isKnown bool) []metric {
	one := func(v float64) []metricSample { return []metricSample{{nil, v}} }
	var all []metric
	if isKnown {
		all = append(all, metric{"uplinks_monitored", gauge, "", "Whether a process maintains the uplinks.", one(oneIf(m != nil))})
	}
	if m == nil {
		return all
	}
	var shared []metricSample
	for _, l := range m.Default {
		shared = append(shared, metricSample{[]metricLabel{{"family", l.Family}}, oneIf(l.State == lineInstalled)})
	}
	return append(all,
		metric{"uplinks_shared_default_up", gauge, "", "Whether the default route that uplinks share is installed.", shared},
		metric{"uplinks_start_timestamp_seconds", gauge, "seconds", "When the process started.", one(float64(m.Since.UnixMilli()) / 1000)},
		metric{"uplinks_looks", counter, "", "How often the state of the kernel was read and compared.", one(float64(m.Looks))},
		metric{"uplinks_changes", counter, "", "Changes of the kernel's rules and routes, each of several steps.", one(float64(m.Changes))},
		metric{"uplinks_steps", counter, "", "Steps of these changes.", one(float64(m.Steps))},
		metric{"uplinks_failures", counter, "", "Changes that failed, and plans that were refused.", one(float64(m.Failures))},
		metric{"uplinks_fights", counter, "", "How often repairs had to be limited.", one(float64(m.Fights))},
		metric{"uplinks_lost_events", counter, "", "How often the kernel dropped events. After that, the whole state is read again.", one(float64(m.Lost))},
	)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// writeMetrics writes metrics in the text format of Prometheus or in OpenMetrics, which give
// the type of a counter to the name with _total, and to the name without it. The comments
// UNIT and EOF are of OpenMetrics. Programs that read the text format pass over them.
func writeMetrics(b *strings.Builder, all []metric, isOpen bool) {
	for _, m := range all {
		name, sample := m.name, m.name
		if m.kind == counter {
			sample += "_total"
		}
		if !isOpen {
			name = sample
		}
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, m.help, name, m.kind)
		if m.unit != "" {
			fmt.Fprintf(b, "# UNIT %s %s\n", name, m.unit)
		}
		for _, s := range m.samples {
			b.WriteString(sample + labelText(s.labels) + " " + strconv.FormatFloat(s.value, 'f', -1, 64) + "\n")
		}
	}
	b.WriteString("# EOF\n")
}

// labelText returns labels in braces.
func labelText(labels []metricLabel) string {
	var parts []string
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for _, l := range labels {
		parts = append(parts, l.name+`="`+escape.Replace(iptext.Printable(l.value))+`"`)
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ",") + "}"
}
