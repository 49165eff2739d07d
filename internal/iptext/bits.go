package iptext

import (
	"strings"

	"github.com/policyroute/policyroute/internal/uapi"
)

// Bits are the names that ip(8) has for the bits of a number, in the order in
// which it prints them.
type Bits []BitName

// A BitName is a bit and its name.
type BitName struct {
	Bit  uint32
	Name string
}

// Names returns the names of the bits of n that have one, and the other bits.
func (b Bits) Names(n uint32) (names []string, rest uint32) {
	for _, x := range b {
		if n&x.Bit != 0 {
			names = append(names, x.Name)
			n &^= x.Bit
		}
	}
	return names, n
}

// Bit returns the bit with a name.
func (b Bits) Bit(name string) (bit uint32, ok bool) {
	for _, x := range b {
		if x.Name == name {
			return x.Bit, true
		}
	}
	return 0, false
}

// Text returns the names of the bits of n with a separator between them. Bits
// without a name follow as a hexadecimal number.
func (b Bits) Text(n uint32, sep string) string {
	names, rest := b.Names(n)
	if rest != 0 {
		names = append(names, Hex(rest))
	}
	return strings.Join(names, sep)
}

// UnmarshalBits reads what [Bits.Text] returns, into a number of at most the given
// bits. what describes the number in errors. An error is a [*NameError], and v is then
// unchanged.
func UnmarshalBits[V Number](b Bits, bits int, pkg, what string, text []byte, sep string, v *V) error {
	var n V
	if len(text) > 0 {
		for part := range strings.SplitSeq(string(text), sep) {
			bit, ok := b.Bit(part)
			x := V(bit)
			if !ok && strings.HasPrefix(part, "0x") {
				x, ok = Uint[V](part, bits)
			}
			if !ok {
				return &NameError{pkg, what, string(text), Suggest(part, b.names())}
			}
			n |= x
		}
	}
	*v = n
	return nil
}

func (b Bits) names() []string {
	names := make([]string, len(b))
	for i, x := range b {
		names[i] = x.Name
	}
	return names
}

// RouteFlags are the flags of a route, a next hop or a nexthop object: RTNH_F_*
// and RTM_F_*.
var RouteFlags = Bits{
	{uapi.RTNH_F_DEAD, "dead"},
	{uapi.RTNH_F_ONLINK, "onlink"},
	{uapi.RTNH_F_PERVASIVE, "pervasive"},
	{uapi.RTNH_F_OFFLOAD, "offload"},
	{uapi.RTNH_F_TRAP, "trap"},
	{uapi.RTM_F_NOTIFY, "notify"},
	{uapi.RTNH_F_LINKDOWN, "linkdown"},
	{uapi.RTNH_F_UNRESOLVED, "unresolved"},
	{uapi.RTM_F_CLONED, "cloned"},
	{uapi.RTM_F_PREFIX, "prefix"},
	{uapi.RTM_F_OFFLOAD, "rt_offload"},
	{uapi.RTM_F_TRAP, "rt_trap"},
	{uapi.RTM_F_OFFLOAD_FAILED, "rt_offload_failed"},
}

// flagsWord is the word before the number of flags that have no name.
const flagsWord = "flags"

// FlagsText returns the names of RouteFlags with blanks between them. Flags
// without a name follow as a hexadecimal number after the word flags.
func FlagsText[F ~uint32](f F) string {
	names, rest := RouteFlags.Names(uint32(f))
	if rest != 0 {
		names = append(names, flagsWord, Hex(rest))
	}
	return strings.Join(names, " ")
}

// UnmarshalFlags reads what FlagsText returns.
func UnmarshalFlags[F ~uint32](pkg string, text []byte, f *F) error {
	w := Split(pkg, string(text))
	words := Table[F]{FlagsWord(func(f *F) *F { return f })}
	var got F
	for w.More() {
		if err := words.Parse(w, &got, "a flag"); err != nil {
			return err
		}
	}
	*f = got
	return nil
}

// FlagsWord returns the word for RouteFlags. Each flag is a keyword of its own,
// and flags is the keyword for those without a name.
func FlagsWord[T any, F ~uint32](at func(*T) *F) Word[T] {
	names := []string{flagsWord}
	for _, x := range RouteFlags {
		names = append(names, x.Name)
	}
	return Word[T]{
		Names: names,
		Parse: func(w *Words, v *T) error {
			if bit, ok := RouteFlags.Bit(w.Last()); ok {
				*at(v) |= F(bit)
				return nil
			}
			n, err := ArgUint[uint32](w, "a number", 32)
			*at(v) |= F(n)
			return err
		},
		Print: func(p *Printer, v *T) {
			if f := *at(v); f != 0 {
				p.Put(FlagsText(f))
			}
		},
	}
}
