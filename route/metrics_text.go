package route

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Words that are not the name of a metric.
const (
	lockWord    = "lock"
	congctlWord = "congctl"
	// unlockedWord comes before a rto_min that is not locked, for which ip(8) has
	// no word.
	unlockedWord = "unlocked"
	// locksWord comes before the set, in hexadecimal, of the locked metrics that
	// are unset. ip(8) has no word for it either.
	locksWord = "locks"
	// metricsWord comes before the number of a metric and its bytes in
	// hexadecimal. It is what the word attribute is for attributes.
	metricsWord = "metrics"
)

// metricWords returns the word that all metrics have in common: each name is a
// keyword.
func metricWords() iptext.Word[line] {
	names := []string{congctlWord, metricsWord}
	for _, x := range metrics {
		names = append(names, x.word)
	}
	return iptext.Word[line]{
		Names: names,
		Parse: func(w *iptext.Words, l *line) error { return l.Metrics.parse(w) },
		Print: func(p *iptext.Printer, l *line) {
			l.Metrics.print(p)
		},
	}
}

// String returns the words of ip-route(8) for m.
func (m Metrics) String() string {
	var p iptext.Printer
	m.print(&p)
	return p.String()
}

// print prints the metrics in the order of their numbers, as ip(8) does.
func (m *Metrics) print(p *iptext.Printer) {
	printed := MetricSet(0)
	word := func(num uapi.RTAX, name string, value ...string) {
		printed |= 1 << num
		p.Put(name)
		switch locked := m.Lock&(1<<num) != 0; {
		case num == uapi.RTAX_RTO_MIN && !locked:
			p.Put(unlockedWord)
		case num != uapi.RTAX_RTO_MIN && locked:
			p.Put(lockWord)
		}
		p.Put(value...)
	}
	for _, x := range metrics {
		v := *x.at(m)
		if x.num == uapi.RTAX_FASTOPEN_NO_COOKIE && (m.CongCtl != "" && isName(m.CongCtl)) {
			word(uapi.RTAX_CC_ALGO, congctlWord, m.CongCtl)
		}
		set := v != 0 || m.Zeros&(1<<x.num) != 0
		switch {
		case !set || x.num == uapi.RTAX_LOCK:
		case x.max != 0 && v > x.max:
			m.printRaw(p, uint16(x.num), binary.NativeEndian.AppendUint32(nil, v))
		case x.perMillisecond != 0:
			word(x.num, x.word, timeString(v, x.perMillisecond))
		case x.num == uapi.RTAX_FEATURES:
			word(x.num, x.word, cmp.Or(Features(v).String(), "0x0"))
		default:
			word(x.num, x.word, iptext.Decimal(v))
		}
	}
	if m.Zeros&MetricCongCtl != 0 {
		m.printRaw(p, uint16(uapi.RTAX_CC_ALGO), nil)
	}
	if rest := m.Lock &^ printed; rest != 0 || m.Zeros&MetricLock != 0 {
		p.Put(locksWord, iptext.Hex(uint32(rest)))
	}
	for num, payload := range m.Unknown.All() {
		m.printRaw(p, num, payload)
	}
}

func (m *Metrics) printRaw(p *iptext.Printer, num uint16, payload []byte) {
	typ, data := iptext.AttributeArgs(num, payload)
	p.Put(metricsWord, typ, data)
}

// parse takes the arguments of the last word that was taken.
func (m *Metrics) parse(w *iptext.Words) error {
	switch w.Last() {
	case metricsWord:
		a, err := iptext.ArgAttribute(w)
		if err != nil {
			return err
		}
		if err := metricsCodec.Decode([]byte(a), m); err != nil {
			return w.Errorf("%v", err)
		}
		return nil
	case congctlWord:
		m.parseLock(w, uapi.RTAX_CC_ALGO)
		s, err := w.Arg("a congestion control algorithm")
		if err == nil && !isName(s) {
			err = w.Errorf("not a congestion control algorithm")
		}
		if err == nil {
			m.CongCtl = s
			m.setZero(uapi.RTAX_CC_ALGO, false)
		}
		return err
	}
	i := slices.IndexFunc(metrics[:], func(x metric) bool { return x.word == w.Last() })
	x := metrics[i]
	if x.num == uapi.RTAX_LOCK {
		bits, err := iptext.ArgUint[MetricSet](w, "a set of metrics", 32)
		m.lock(bits)
		return err
	}
	m.parseLock(w, x.num)
	v, err := x.parse(w)
	if err == nil {
		*x.at(m) = v
		m.setZero(x.num, v == 0)
	}
	return err
}

// parseLock takes the word lock. A rto_min is locked unless the word unlocked
// follows.
func (m *Metrics) parseLock(w *iptext.Words, num uapi.RTAX) {
	locked := w.Accept(lockWord)
	if num == uapi.RTAX_RTO_MIN {
		locked = !w.Accept(unlockedWord) || locked
	}
	if locked {
		m.lock(1 << num)
	}
}

func (m *Metrics) lock(bits MetricSet) {
	m.Lock |= bits
	m.setZero(uapi.RTAX_LOCK, m.Lock == 0)
}

// parse takes the value of the metric.
func (x *metric) parse(w *iptext.Words) (uint32, error) {
	switch {
	case x.perMillisecond != 0:
		s, err := w.Arg("a time")
		if err != nil {
			return 0, err
		}
		v, ok := parseTime(s, x.perMillisecond)
		if !ok {
			return 0, w.Errorf("not a time: want 10ms, 1.5s or the like")
		}
		return v, nil
	case x.num == uapi.RTAX_FEATURES:
		return parseFeatures(w)
	}
	v, err := iptext.ArgUint[uint32](w, "a number", 32)
	if err == nil && x.max != 0 && v > x.max {
		err = w.Errorf("not a number up to %d", x.max)
	}
	return v, err
}

// parseFeatures takes a name or a number, and further names and numbers.
func parseFeatures(w *iptext.Words) (uint32, error) {
	s, err := w.Arg("a feature")
	if err != nil {
		return 0, err
	}
	f, ok := feature(s)
	if !ok {
		return 0, w.Errorf("not a feature")
	}
	for {
		more, ok := feature(w.Peek())
		if !ok {
			return uint32(f), nil
		}
		w.Take()
		f |= more
	}
}

func feature(s string) (Features, bool) {
	if bit, ok := features.Bit(s); ok {
		return Features(bit), true
	}
	if !strings.HasPrefix(s, "0x") {
		return 0, false // a number without 0x can be a destination
	}
	return iptext.Uint[Features](s, 32)
}

// timeString formats a time in milliseconds, or in units if it is not a whole
// number of milliseconds.
func timeString(v, perMillisecond uint32) string {
	if v%perMillisecond == 0 {
		return iptext.Decimal(v/perMillisecond) + "ms"
	}
	return iptext.Decimal(v)
}

// secondsWords and millisWords come after a number of seconds or milliseconds, in
// small or capital letters. A number without them is a number of units.
var (
	secondsWords = []string{"s", "sec", "secs"}
	millisWords  = []string{"ms", "msec", "msecs"}
)

// parseTime reads a time and rounds it up to milliseconds, as ip(8) does.
func parseTime(s string, perMillisecond uint32) (uint32, bool) {
	if v, ok := iptext.Uint[uint32](s, 32); ok {
		return v, true
	}
	digits := strings.TrimRight(strings.ToLower(s), "secm")
	if strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, false
	}
	switch suffix := strings.ToLower(s[len(digits):]); {
	case suffix == "":
		perMillisecond = 1
	case slices.Contains(secondsWords, suffix):
		n *= 1000
	case !slices.Contains(millisWords, suffix):
		return 0, false
	}
	n = math.Ceil(n) * float64(perMillisecond)
	return uint32(n), n < 1<<32
}
