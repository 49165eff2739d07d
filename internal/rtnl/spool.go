package rtnl

import (
	"encoding/binary"
	"iter"
)

// A Spool stores the payloads of messages until their number is known. A listing that
// is stored first can then be decoded into a slice of the right size.
type Spool struct {
	chunks [][]byte
	n      int
}

// The first chunk is small, as most listings are, and each chunk has four times the
// size of the one before, since new memory must be cleared.
const (
	firstChunk = 1 << 10
	chunkSize  = 256 << 10
)

// Add stores a copy of p.
func (s *Spool) Add(p []byte) {
	need := 4 + len(p)
	last := len(s.chunks) - 1
	if last < 0 || cap(s.chunks[last])-len(s.chunks[last]) < need {
		size := firstChunk
		if last >= 0 {
			size = min(4*cap(s.chunks[last]), chunkSize)
		}
		s.chunks = append(s.chunks, make([]byte, 0, max(size, need)))
		last++
	}
	c := binary.NativeEndian.AppendUint32(s.chunks[last], uint32(len(p)))
	s.chunks[last] = append(c, p...)
	s.n++
}

// Len returns the number of payloads.
func (s *Spool) Len() int { return s.n }

// All yields the payloads in the order in which they were added.
func (s *Spool) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, c := range s.chunks {
			for len(c) > 0 {
				n := 4 + int(binary.NativeEndian.Uint32(c))
				if !yield(c[4:n:n]) {
					return
				}
				c = c[n:]
			}
		}
	}
}
