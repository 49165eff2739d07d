package iptext

import (
	"fmt"
	"strconv"
)

// An Enum is the names that ip(8) has for the values of a small number. A
// number without a name prints in decimal, and any number is read.
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

// Names returns the names, for suggestions.
func (e Enum) Names() []string {
	names := make([]string, len(e))
	for i, x := range e {
		names[i] = x.Name
	}
	return names
}

// Unmarshal reads the text form of a value; what says what it is, with its
// article. An error is a [*NameError].
func (e Enum) Unmarshal(pkg, what string, text []byte) (uint8, error) {
	n, ok := e.Number(string(text))
	if !ok {
		return 0, &NameError{pkg, what, string(text), Suggest(string(text), e.Names())}
	}
	return n, nil
}

// A NameError reports text that is no name of an Enum, and no number.
type NameError struct {
	Package, What, Text string
	Suggestion          string // from [Suggest]
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s: %q is not %s%s", e.Package, e.Text, e.What, e.Suggestion)
}
