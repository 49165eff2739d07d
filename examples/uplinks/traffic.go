package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/route"
)

// A traffic is what an interface has received and sent, with everything else that uses it.
type traffic struct {
	ReceivedBytes uint64 `json:"received_bytes"`
	SentBytes     uint64 `json:"sent_bytes"`
	// The rates are bytes a second. They are nil if there was one measurement only.
	ReceivedRate *float64 `json:"received_bytes_per_second,omitempty"`
	SentRate     *float64 `json:"sent_bytes_per_second,omitempty"`
}

// A sample is the traffic of interfaces at a time.
type sample struct {
	at      time.Time
	traffic map[string]traffic
}

// Of linux/rtnetlink.h and linux/if_link.h: a request for counters of an interface, and
// struct rtnl_link_stats64.
const (
	rtmGetStats     = 94
	statsLink64     = 1 // IFLA_STATS_LINK_64
	statsHeaderSize = 12
	receivedAt      = 16 // rx_bytes
	sentAt          = 24 // tx_bytes
)

// readTraffic reads the counters of interfaces. Interfaces that do not exist are left out.
func readTraffic(ctx context.Context, c route.Conn, names []string) (sample, error) {
	s := sample{time.Now(), make(map[string]traffic)}
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return s, err
	}
	for _, name := range names {
		index, ok := links.Index(name)
		if _, done := s.traffic[name]; done || !ok {
			continue
		}
		if t, ok := readCounters(c, index); ok {
			s.traffic[name] = t
		}
	}
	return s, nil
}

// readCounters reads the counters of an interface. It returns false if there are none: the
// interface may have gone.
func readCounters(c route.Conn, index uint32) (t traffic, ok bool) {
	request := make([]byte, statsHeaderSize)
	binary.NativeEndian.PutUint32(request[4:], index)
	binary.NativeEndian.PutUint32(request[8:], 1<<(statsLink64-1))
	replies, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: rtmGetStats, Flags: netlink.Request}, Data: request,
	})
	if err != nil {
		return t, false
	}
	for _, m := range replies {
		if len(m.Data) < statsHeaderSize {
			continue
		}
		d, err := netlink.NewAttributeDecoder(m.Data[statsHeaderSize:])
		if err != nil {
			return t, false
		}
		for d.Next() {
			if b := d.Bytes(); d.Type() == statsLink64 && len(b) >= sentAt+8 {
				t.ReceivedBytes = binary.NativeEndian.Uint64(b[receivedAt:])
				t.SentBytes = binary.NativeEndian.Uint64(b[sentAt:])
				ok = true
			}
		}
	}
	return t, ok
}

// since returns the traffic with the rates since an earlier sample.
func (s sample) since(earlier sample) sample {
	seconds := s.at.Sub(earlier.at).Seconds()
	now := sample{s.at, make(map[string]traffic, len(s.traffic))}
	for name, t := range s.traffic {
		o, ok := earlier.traffic[name]
		// Another interface may have the name now, with counters that begin again.
		if ok && seconds > 0 && t.ReceivedBytes >= o.ReceivedBytes && t.SentBytes >= o.SentBytes {
			received, sent := float64(t.ReceivedBytes-o.ReceivedBytes)/seconds, float64(t.SentBytes-o.SentBytes)/seconds
			t.ReceivedRate, t.SentRate = &received, &sent
		}
		now.traffic[name] = t
	}
	return now
}

// setTraffic puts a sample into the entries.
func (s sample) setTraffic(entries []*entry) {
	for _, e := range entries {
		if t, ok := s.traffic[e.Dev]; ok {
			e.Traffic = &t
		}
	}
}

// interfacesOf returns the interfaces of the entries.
func interfacesOf(entries []*entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Dev)
	}
	return names
}

// rateText returns bytes a second in seven characters at most, such as 12.3MB/s.
func rateText(rate *float64) string {
	if rate == nil {
		return ""
	}
	v, unit := *rate, ""
	for _, u := range []string{"k", "M", "G", "T"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "" || v >= 99.95 {
		return fmt.Sprintf("%.0f%sB/s", v, unit)
	}
	return fmt.Sprintf("%.1f%sB/s", v, unit)
}
