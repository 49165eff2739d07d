package iptext

import (
	"fmt"
	"strconv"
)

// An Enum is the names that ip(8) has for the values of a number of 8 bits. A value
// without a name is printed in decimal, and any number can be read.
type Enum []EnumName

// An EnumName is a value of an Enum.
type EnumName struct {
	N    uint8
	Name string
}

// Name returns the name of n, or its decimal form.
func (e Enum) Name(n uint8) string {
	for _, x := range e {
		if x.N == n {
			return x.Name
		}
	}
	return strconv.Itoa(int(n))
}

// Number returns the value of a name, or of a number of at most 8 bits.
func (e Enum) Number(s string) (uint8, bool) {
	for _, x := range e {
		if x.Name == s {
			return x.N, true
		}
	}
	return Uint[uint8](s, 8)
}

// Names returns the names, for [Suggest].
func (e Enum) Names() []string {
	names := make([]string, len(e))
	for i, x := range e {
		names[i] = x.Name
	}
	return names
}

// Unmarshal reads the text form of a value. what describes the value in errors, as in
// "a family". An error is a [*NameError].
func (e Enum) Unmarshal(pkg, what string, text []byte) (uint8, error) {
	n, ok := e.Number(string(text))
	if !ok {
		return 0, &NameError{pkg, what, string(text), Suggest(string(text), e.Names())}
	}
	return n, nil
}

// NameOf returns the name of v, or its decimal form. It is [Enum.Name] for
// numbers of any size.
func NameOf[V Number](e Enum, v V) string {
	if uint64(v) > 0xff {
		return Decimal(v)
	}
	return e.Name(uint8(v))
}

// UnmarshalName reads the text form of a value: a name, or a number of at most
// the given bits. It is [Enum.Unmarshal] for numbers of any size.
func UnmarshalName[V Number](e Enum, bits int, pkg, what string, text []byte, v *V) error {
	if n, ok := Uint[V](string(text), bits); ok {
		*v = n
		return nil
	}
	n, err := e.Unmarshal(pkg, what, text)
	if err == nil {
		*v = V(n)
	}
	return err
}

// A NameError reports text that is neither a name nor a number.
type NameError struct {
	Package, What, Text string
	Suggestion          string // from [Suggest]
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s: %q is not %s%s", e.Package, e.Text, e.What, e.Suggestion)
}
