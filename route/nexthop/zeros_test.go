package nexthop

import (
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
)

// An attribute with the value zero is another message than none, and can be said, except
// where it means the same.
func TestZeros(t *testing.T) {
	testrun.WantZeros(t, codec.Name, recode(codec, func(m *message) { m.Family = route.IPv4 }), map[string]string{
		"NHA_ID":         "with and without it, the kernel chooses",
		"NHA_GROUP_TYPE": "it is mpath, which a group without it is",
		"NHA_OIF":        "no interface has the index 0",
		"NHA_BLACKHOLE":  "it has no payload", "NHA_FDB": "it has no payload",
		"NHA_OP_FLAGS": "the kernel refuses it in an object",
	})
	testrun.WantZeros(t, resilientCodec.Name, recode(resilientCodec, func(*ResilientGroup) {}), map[string]string{
		"NHA_RES_GROUP_UNBALANCED_TIME": "only the kernel says it",
	})
}

func recode[M any](c *attr.Codec[M], prepare func(*M)) func([]byte) ([]byte, error) {
	return func(attribute []byte) ([]byte, error) {
		var m M
		prepare(&m)
		if err := c.Decode(attribute, &m); err != nil {
			return nil, err
		}
		return c.Append(nil, &m)
	}
}
