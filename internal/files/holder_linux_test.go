package files

import (
	"strings"
	"testing"
)

func TestHolderOf(t *testing.T) {
	locks := `1: POSIX  ADVISORY  WRITE 11 08:01:100 0 EOF
2: FLOCK  ADVISORY  WRITE 12 08:01:1000 0 EOF
3: FLOCK  ADVISORY  WRITE 13 00:1b:2000 0 EOF
4: FLOCK  ADVISORY  WRITE 14 08:01:3000 0 EOF
4: -> FLOCK  ADVISORY  WRITE 15 08:01:4000 0 EOF
5: FLOCK  ADVISORY  WRITE 0 08:01:5000 0 EOF
6: LEASE  ACTIVE    READ 16
7: FLOCK  ADVISORY  WRITE 17 08:02:1000 0 EOF
`
	for inode, want := range map[uint64]int{100: 11, 1000: 12, 2000: 13, 3000: 14, 4000: 0, 5000: 0, 1: 0, 16: 0, 0: 0} {
		if got := holderOf(strings.NewReader(locks), 8, 1, inode); got != want {
			t.Errorf("inode %d: process %d, want %d", inode, got, want)
		}
	}
}
