package route

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// Realms are the routing realms of a route or a rule: realms of ip-route(8), whose
// names are in /etc/iproute2/rt_realms. The classifier route of tc(8) and the
// kernel's accounting use them. The zero Realms are no realms.
type Realms struct {
	Src, Dst uint16 // zero: none
}

// String returns SRC/DST in decimal, or DST alone if there is no source realm.
func (r Realms) String() string {
	if r.Src == 0 {
		return iptext.Decimal(r.Dst)
	}
	return iptext.Decimal(r.Src) + "/" + iptext.Decimal(r.Dst)
}

// MarshalText returns what String does.
func (r Realms) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns, as [ParseRealms] does.
func (r *Realms) UnmarshalText(text []byte) error {
	got, err := ParseRealms(string(text), nil)
	if err == nil {
		*r = got
	}
	return err
}

// Text returns what String does, with the names in n, which can be nil.
func (r Realms) Text(n *Names) string {
	db := n.FileNames().Realms()
	if r.Src == 0 {
		return db.Name(uint32(r.Dst))
	}
	return db.Name(uint32(r.Src)) + "/" + db.Name(uint32(r.Dst))
}

// ParseRealms reads [SRC/]DST or SRC/. Each realm is a number or a name in n, which can
// be nil. A single number of more than 16 bits holds both realms, the source realm in
// its upper half.
func ParseRealms(s string, n *Names) (Realms, error) {
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

func parseRealm(s string, n *Names, bits int) (uint32, bool) {
	if id, ok := n.FileNames().Realms().Lookup(s); ok {
		return id, true
	}
	return iptext.Uint[uint32](s, bits)
}
