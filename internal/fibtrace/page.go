package fibtrace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Each page of the file trace_pipe_raw begins with the time of its first event and with the
// number of bytes behind this header. Then come the events: a word with a type in 5 bits and
// the time since the last event in 27, and the data. The kernel describes this in the files
// events/header_page and events/header_event of tracefs.
const (
	commitMask = 1<<20 - 1 // of the number of bytes; bits above say that events before were lost

	typeDataMax = 28 // and less: the length in words of 4 bytes; 0: the length is in the next word
	typePadding = 29
	typeExtend  = 30 // the next word has more bits of the time
	typeStamp   = 31 // both words are the time

	deltaBits = 27
)

// A pageLayout says how long the header of a page and a page are: see the file
// events/header_page.
type pageLayout struct {
	word int // the size of a long of the kernel
	size int // that of a page, with its header
}

// parseHeaderPage reads the file events/header_page.
func parseHeaderPage(text string) (pageLayout, error) {
	var p pageLayout
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "field:") {
			continue
		}
		name, f, err := parseField(line)
		switch {
		case err != nil:
			return p, fmt.Errorf("header_page: %q: %w", line, err)
		case name == "commit" && f.offset == 8:
			p.word = f.size
		case name == "data":
			p.size = f.offset + f.size
		}
	}
	if p.word != 4 && p.word != 8 || p.size <= p.header() {
		return p, errors.New("header_page: unknown format")
	}
	return p, nil
}

func (p pageLayout) header() int { return 8 + p.word }

var errPage = errors.New("fibtrace: a page of the ring buffer is cut short")

// littleEndian is the order of the bits of an event's first word too.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// splitHead splits the first word of an event.
func splitHead(w uint32) (typ uint32, delta uint64) {
	if littleEndian {
		return w & 31, uint64(w >> 5)
	}
	return w >> deltaBits, uint64(w & (1<<deltaBits - 1))
}

// parse calls yield for each record of a page.
func (p pageLayout) parse(page []byte, yield func(at time.Duration, record []byte)) error {
	if len(page) < p.header() {
		return errPage
	}
	now := binary.NativeEndian.Uint64(page)
	data := page[p.header():]
	size := int(p.long(page[8:]) & commitMask)
	if size > len(data) {
		return errPage
	}
	return parseEvents(data[:size:size], now, yield)
}

// long returns the number of the kernel's type long at the start of b.
func (p pageLayout) long(b []byte) uint64 {
	if p.word == 4 {
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

func parseEvents(b []byte, now uint64, yield func(time.Duration, []byte)) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return errPage
		}
		typ, delta := splitHead(binary.NativeEndian.Uint32(b))
		b = b[4:]
		length := int(typ) * 4
		if typ == 0 || typ > typeDataMax {
			if typ == typePadding && delta == 0 {
				return nil // the rest of the page is empty
			}
			if len(b) < 4 {
				return errPage
			}
			word := binary.NativeEndian.Uint32(b)
			switch typ {
			case typeExtend:
				now += delta + uint64(word)<<deltaBits
				b = b[4:]
				continue
			case typeStamp:
				// The upper five bits of a time are those of the page.
				now = now&^(1<<59-1) | uint64(word)<<deltaBits | delta
				b = b[4:]
				continue
			}
			// The length of data includes its own word, that of padding does not
			// include the first one: both count from here.
			if word < 4 || word > uint32(len(b)) {
				return errPage
			}
			length = int(word)
			if typ == 0 {
				length = (length + 3) &^ 3
			}
		}
		if length > len(b) {
			return errPage
		}
		now += delta
		if typ != typePadding {
			record := b[:length:length]
			if typ == 0 {
				record = record[4:]
			}
			yield(time.Duration(now), record)
		}
		b = b[length:]
	}
	return nil
}

// parseStats reads the file stats of a processor, and returns the number of lost events:
// those that were overwritten, and those for which there was no room.
func parseStats(text string) (lost uint64, err error) {
	found := false
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "overrun", "commit overrun", "dropped events":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("stats: %q: %w", line, err)
			}
			found, lost = true, lost+n
		}
	}
	if !found {
		return 0, errors.New("stats: no number of lost events")
	}
	return lost, nil
}
