package route

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// showMetrics writes the metrics in the order of their numbers. A lock shows
// also one that is unset, and JSON has no locks.
func showMetrics(o *iptext.Out, m *Metrics) {
	if value(m) == (Metrics{}) {
		return
	}
	o.StartArray("metrics")
	o.StartObject("")
	for _, x := range metrics {
		if x.num == uapi.RTAX_FASTOPEN_NO_COOKIE && m.shows(uapi.RTAX_CC_ALGO, m.CongCtl != "") {
			m.word(o, uapi.RTAX_CC_ALGO, congctlWord)
			put(o, "congestion", "", m.CongCtl)
		}
		v := *x.at(m)
		switch {
		case x.num == uapi.RTAX_LOCK || !m.shows(x.num, v != 0):
			continue
		case x.num == uapi.RTAX_HOPLIMIT && v == noHopLimit:
			continue
		}
		m.word(o, x.num, x.word)
		switch {
		case x.num == uapi.RTAX_FEATURES:
			showFeatures(o, m.Features)
		case x.perMillisecond == 0:
			putUint(o, x.word, "", v)
		case o.IsJSON():
			o.Uint(x.word, "", uint64(v/x.perMillisecond))
		default:
			o.Text(shownTime(v/x.perMillisecond), " ")
		}
	}
	o.EndObject()
	o.EndArray()
}

// noHopLimit is how old kernels said that there is none.
const noHopLimit = 1<<32 - 1

// shows reports whether a metric is shown.
func (m *Metrics) shows(num uapi.RTAX, value bool) bool {
	return value || (m.Zeros|m.Lock)&(1<<num) != 0
}

func (m *Metrics) word(o *iptext.Out, num uapi.RTAX, word string) {
	o.Text(word, " ")
	if m.Lock&(1<<num) != 0 {
		o.Text(lockWord, " ")
	}
}

// shownTime is a number of milliseconds, from 1000 on in seconds with up to six
// digits.
func shownTime(ms uint32) string {
	if ms < 1000 {
		return iptext.Decimal(ms) + "ms"
	}
	return general(float64(ms)/1000) + "s"
}

// showFeatures writes the names of features, and, if there are others, the
// number of all.
func showFeatures(o *iptext.Out, f Features) {
	rest := f
	for _, x := range features {
		if f&x.bit != 0 {
			o.Null(x.name, x.name+" ")
			rest &^= x.bit
		}
	}
	if rest != 0 {
		put(o, "features", "", iptext.AltHex(uint32(f)))
	}
}
