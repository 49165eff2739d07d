package nft

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/uapi"
)

// A UserData is what nft(8) keeps with an object, and the kernel does not look at: a
// sequence of a type, a length of one byte, and as many bytes. The fields of an object
// have what this package knows of it; the rest is in the UserData of the object.
type UserData string

// Types of user data, as nft(8) numbers them.
const (
	udataComment      = 0 // of tables, chains, rules and elements
	udataSetKeyOrder  = 0 // of sets: a uint32, orderHost or orderBig
	udataSetDataOrder = 1 // of sets: the same
	udataSetComment   = 7
	commentMax        = 127
	orderHost         = 1
	orderBig          = 2
	udataHeader       = 2
	udataMax          = 255 // of one entry
)

// All yields the type and bytes of each entry. An entry that is cut off ends it.
func (u UserData) All(yield func(typ uint8, data string) bool) {
	for len(u) >= udataHeader {
		n := udataHeader + int(u[1])
		if n > len(u) || !yield(u[0], string(u[udataHeader:n])) {
			return
		}
		u = u[n:]
	}
}

// take returns the bytes of the first entry of a type, and u without it. Bytes that are
// not entries are left alone.
func (u UserData) take(typ uint8) (data string, rest UserData, ok bool) {
	at := 0
	for t, d := range u.All {
		n := udataHeader + len(d)
		if t == typ {
			return d, u[:at] + u[at+n:], true
		}
		at += n
	}
	return "", u, false
}

// with returns u with one more entry, in front of the first of a greater type.
func (u UserData) with(typ uint8, data string) (UserData, error) {
	if len(data) > udataMax {
		return u, fmt.Errorf("%d bytes of user data, of at most %d", len(data), udataMax)
	}
	at := 0
	for t, d := range u.All {
		if t > typ {
			break
		}
		at += udataHeader + len(d)
	}
	return u[:at] + UserData([]byte{typ, byte(len(data))}) + UserData(data) + u[at:], nil
}

// withComment returns u with a comment, which ends with a NUL.
func (u UserData) withComment(typ uint8, comment string) (UserData, error) {
	switch {
	case comment == "":
		return u, nil
	case len(comment) > commentMax:
		return u, fmt.Errorf("a comment of %d bytes, of at most %d", len(comment), commentMax)
	case strings.IndexByte(comment, 0) >= 0:
		return u, fmt.Errorf("comment %q contains a NUL", comment)
	}
	return u.with(typ, comment+"\x00")
}

// takeComment returns the comment, and u without it. A comment that this package would
// write in another way stays in u.
func (u UserData) takeComment(typ uint8) (comment string, rest UserData) {
	data, rest, ok := u.take(typ)
	comment, nul := strings.CutSuffix(data, "\x00")
	if !ok || !nul || comment == "" {
		return "", u
	}
	if again, err := rest.withComment(typ, comment); err != nil || again != u {
		return "", u
	}
	return comment, rest
}

// check says whether the kernel takes u.
func (u UserData) check() error {
	if len(u) > uapi.NFT_USERDATA_MAXLEN {
		return fmt.Errorf("%d bytes of user data, of at most %d", len(u), uapi.NFT_USERDATA_MAXLEN)
	}
	return nil
}

// withNumber returns u with an entry that is a uint32 in host byte order.
func (u UserData) withNumber(typ uint8, n uint32) UserData {
	u, _ = u.with(typ, string(binary.NativeEndian.AppendUint32(nil, n)))
	return u
}

// takeNumber returns the entry, and u without it. A number that is zero stays in u.
func (u UserData) takeNumber(typ uint8) (n uint32, rest UserData, ok bool) {
	data, rest, ok := u.take(typ)
	if !ok || len(data) != 4 {
		return 0, u, false
	}
	n = binary.NativeEndian.Uint32([]byte(data))
	if n == 0 || rest.withNumber(typ, n) != u {
		return 0, u, false
	}
	return n, rest, true
}
