package rttables

import (
	"fmt"
	"strconv"
	"strings"
)

// An ID is the number of a routing table, as in FRA_TABLE, RTA_TABLE and the
// word after "table" in ip-route(8). The zero ID is [Unspec].
type ID uint32

// The IDs with a predefined meaning (enum rt_class_t of rtnetlink.h).
const (
	Unspec  ID = 0   // RT_TABLE_UNSPEC: not set; in a dump filter, every table
	Compat  ID = 252 // RT_TABLE_COMPAT: in the 8-bit field of a header, an ID above 255
	Default ID = 253 // RT_TABLE_DEFAULT: looked up last, normally empty
	Main    ID = 254 // RT_TABLE_MAIN: the table of routes for which no table is given
	Local   ID = 255 // RT_TABLE_LOCAL: addresses of this host, kept by the kernel
)

// maxFileID is the highest ID that iproute2 reads from a file: it reads an int and
// skips negative values. The kernel and the command line accept IDs up to 2^32-1.
const maxFileID ID = 1<<31 - 1

// String returns main, local or default for these three, which ip(8) knows
// without any file, and the decimal number for every other ID.
func (id ID) String() string {
	switch id {
	case Default:
		return "default"
	case Main:
		return "main"
	case Local:
		return "local"
	}
	return strconv.FormatUint(uint64(id), 10)
}

// AppendText appends what [ID.String] returns. The error is always nil.
func (id ID) AppendText(b []byte) ([]byte, error) {
	return append(b, id.String()...), nil
}

// MarshalText returns what [ID.String] returns. The error is always nil.
func (id ID) MarshalText() ([]byte, error) {
	return []byte(id.String()), nil
}

// UnmarshalText sets id as [ParseID] does. On an error it does not change id.
func (id *ID) UnmarshalText(text []byte) error {
	v, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads a number, decimal or hexadecimal after 0x, up to 2^32-1, or one of
// the words main, local and default. It reads what String returns. [Names.Parse]
// reads the other names.
//
// A decimal number with a leading zero is refused, because ip(8) would read it
// as octal. The error is [strconv.ErrSyntax] or [strconv.ErrRange] for
// errors.Is.
func ParseID(s string) (ID, error) {
	switch s {
	case "default":
		return Default, nil
	case "main":
		return Main, nil
	case "local":
		return Local, nil
	}
	digits, base := s, 10
	if rest, ok := cutHex(s); ok {
		digits, base = rest, 16
	} else if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("rttables: table %q: a leading zero, with which ip(8) reads an octal number: %w", s, strconv.ErrSyntax)
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		if ne, ok := err.(*strconv.NumError); ok {
			err = ne.Err
		}
		return 0, fmt.Errorf("rttables: table %q: %w", s, err)
	}
	return ID(v), nil
}

// cutHex removes a 0x or 0X at the beginning of s.
func cutHex(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "0x"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "0X")
}

// reserved reports whether id has a predefined meaning, so that this package gives
// it no other name.
func (id ID) reserved() bool {
	return id == Unspec || Compat <= id && id <= Local
}
