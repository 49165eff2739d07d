package route

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
)

// Realms are the routing realms of a route or a rule, which tc(8)'s classifier
// route and the kernel's accounting use: realms of ip-route(8), named in
// /etc/iproute2/rt_realms. The zero Realms are none.
type Realms struct {
	Src, Dst uint16 // zero: none
}

// String is SRC/DST, or DST alone where there is no source realm, in decimal.
func (r Realms) String() string {
	if r.Src == 0 {
		return iptext.Decimal(r.Dst)
	}
	return iptext.Decimal(r.Src) + "/" + iptext.Decimal(r.Dst)
}

// Text is String with the names that n, which may be nil, knows.
func (r Realms) Text(n *rttables.Names) string {
	db := n.Realms()
	if r.Src == 0 {
		return db.Name(uint32(r.Dst))
	}
	return db.Name(uint32(r.Src)) + "/" + db.Name(uint32(r.Dst))
}

// ParseRealms reads [SRC/]DST or SRC/, each a name that n, which may be nil, knows, or
// a number. A single number of more than 16 bits is both, the source realm in
// its upper half.
func ParseRealms(s string, n *rttables.Names) (Realms, error) {
	src, dst, both := strings.Cut(s, "/")
	if !both {
		v, ok := parseRealm(s, n, 32)
		if !ok {
			return Realms{}, fmt.Errorf("route: %q is not a realm", s)
		}
		return Realms{Src: uint16(v >> 16), Dst: uint16(v)}, nil
	}
	sv, ok1 := parseRealm(src, n, 16)
	dv, ok2 := parseRealm(dst, n, 16)
	if dst == "" {
		dv, ok2 = 0, true
	}
	if !ok1 || !ok2 {
		return Realms{}, fmt.Errorf("route: %q are not realms", s)
	}
	return Realms{Src: uint16(sv), Dst: uint16(dv)}, nil
}

func parseRealm(s string, n *rttables.Names, bits int) (uint32, bool) {
	if id, ok := n.Realms().Lookup(s); ok {
		return id, true
	}
	return iptext.Uint[uint32](s, bits)
}
