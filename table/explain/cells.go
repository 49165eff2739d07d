package explain

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// cellsOf divides the numbers of some bits into cells of numbers that are equal to the
// same ones of list, each in the bits of its mask. It returns a number of each cell, the
// first of which is zero. ok is false if there are more than limit.
func cellsOf(list []maskedValue, bits, limit int) (cells []uint64, ok bool) {
	c := celler{list: list, seen: make(map[string]bool), found: make(map[string]uint64), limit: limit}
	alive := make([]int32, len(c.list))
	for i := range alive {
		alive[i] = int32(i)
	}
	if !c.walk(bits-1, alive, 0) {
		return nil, false
	}
	for _, n := range c.found {
		cells = append(cells, uint64(n))
	}
	slices.Sort(cells)
	return cells, true
}

// compactMasked returns masked values in order, each once.
func compactMasked(list []maskedValue) []maskedValue {
	slices.SortFunc(list, func(a, b maskedValue) int {
		return cmp.Or(cmp.Compare(a.mask, b.mask), cmp.Compare(a.value, b.value))
	})
	return slices.Compact(list)
}

// A celler finds cells. It decides one bit after the other, the highest first, and keeps
// the values that the bits so far are equal to.
type celler struct {
	list  []maskedValue
	seen  map[string]bool   // bits and values that were met
	found map[string]uint64 // a number for each set of values at the end
	limit int
}

// walk decides the bits from bit on. Alive are the values that the number is equal to so
// far. It returns false if there are too many cells.
func (c *celler) walk(bit int, alive []int32, number uint64) bool {
	for bit >= 0 && !slices.ContainsFunc(alive, func(i int32) bool { return c.list[i].mask>>bit&1 != 0 }) {
		bit-- // nobody looks at this bit
	}
	k := stateOf(bit, alive)
	if c.seen[k] {
		return true
	}
	c.seen[k] = true
	if bit < 0 {
		c.found[k] = number
		return len(c.found) <= c.limit && len(c.seen) <= 64*c.limit
	}
	for value := range uint32(2) {
		next := make([]int32, 0, len(alive))
		for _, i := range alive {
			if v := &c.list[i]; v.mask>>bit&1 == 0 || v.value>>bit&1 == value {
				next = append(next, i)
			}
		}
		if !c.walk(bit-1, next, number|uint64(value)<<bit) {
			return false
		}
	}
	return true
}

func stateOf(bit int, alive []int32) string {
	b := binary.AppendVarint(nil, int64(bit))
	for _, i := range alive {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return string(b)
}
