package route

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// String returns the eight numbers in the order of struct rta_cacheinfo, with
// commas between them.
func (c CacheInfo) String() string {
	return fmt.Sprintf("%d,%d,%d,%d,%d,%d,%d,%d",
		c.ClntRef, c.LastUse, c.Expires, c.Error, c.Used, c.ID, c.TS, c.TSAge)
}

func argCacheInfo(w *iptext.Words, c *CacheInfo) error {
	s, err := w.Arg("cache information")
	if err != nil {
		return err
	}
	var expires uint32
	fields := []*uint32{&c.ClntRef, &c.LastUse, &expires, &c.Error, &c.Used, &c.ID, &c.TS, &c.TSAge}
	parts := strings.Split(s, ",")
	if len(parts) != len(fields) {
		return w.Errorf("not cache information: want %d numbers", len(fields))
	}
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < -1<<31 || n > 1<<32-1 {
			return w.Errorf("not cache information: %q is not a number of 32 bits", part)
		}
		*fields[i] = uint32(n)
	}
	c.Expires = int32(expires)
	return nil
}
