package route

import (
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/testrun"
)

// Times are rounded up to the kernel's units, and kept within 32 bits.
func TestMetricTimes(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct {
		d      time.Duration
		rtt    RTT
		rttVar RTTVar
		rto    RTO
	}{
		{0, 0, 0, 0},
		{1, 1, 1, 1},
		{time.Millisecond / 8, 1, 1, 1},
		{time.Millisecond/8 + 1, 2, 1, 1},
		{time.Millisecond / 4, 2, 1, 1},
		{time.Millisecond, 8, 4, 1},
		{1500 * time.Microsecond, 12, 6, 2},
		{time.Second, 8000, 4000, 1000},
		{-time.Second, 0, 0, 0},
		{1 << 62, 1<<32 - 1, 1<<32 - 1, 1<<32 - 1},
	} {
		rtt, rttVar, rto := MakeRTT(tt.d), MakeRTTVar(tt.d), MakeRTO(tt.d)
		if rtt != tt.rtt || rttVar != tt.rttVar || rto != tt.rto {
			report.Errorf("%v: %d, %d, %d, want %d, %d, %d", tt.d, rtt, rttVar, rto, tt.rtt, tt.rttVar, tt.rto)
		}
		if MakeRTT(rtt.Duration()) != rtt || MakeRTTVar(rttVar.Duration()) != rttVar || MakeRTO(rto.Duration()) != rto {
			report.Errorf("%v: %v, %v, %v give other numbers of units", tt.d, rtt.Duration(), rttVar.Duration(), rto.Duration())
		}
	}
	for got, want := range map[time.Duration]time.Duration{
		RTT(12).Duration(): 1500 * time.Microsecond, RTTVar(5).Duration(): 1250 * time.Microsecond, RTO(200).Duration(): 200 * time.Millisecond,
		RTT(1<<32 - 1).Duration(): (1<<32 - 1) * time.Millisecond / 8,
	} {
		if got != want {
			report.Errorf("%v, want %v", got, want)
		}
	}
	// The metric of the words of ip-route(8) is the one that MakeRTT makes.
	m := parse(t, "default dev if3 rtt 1.5s rttvar 12ms rto_min 200ms").Metrics
	if m.RTT != MakeRTT(1500*time.Millisecond) || m.RTTVar != MakeRTTVar(12*time.Millisecond) || m.RTOMin != MakeRTO(200*time.Millisecond) {
		report.Errorf("%+v", m)
	}
}
