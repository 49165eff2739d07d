package nft

import (
	"fmt"
	"slices"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// SetFlags are flags of a set, NFT_SET_*.
type SetFlags uint32

// Flags of a set.
const (
	Anonymous SetFlags = uapi.NFT_SET_ANONYMOUS // it belongs to one rule
	Constant  SetFlags = uapi.NFT_SET_CONSTANT  // its elements do not change
	Interval  SetFlags = uapi.NFT_SET_INTERVAL  // its elements are ranges
	Map       SetFlags = uapi.NFT_SET_MAP
	Timeout   SetFlags = uapi.NFT_SET_TIMEOUT // its elements have a timeout
	Dynamic   SetFlags = uapi.NFT_SET_EVAL    // rules change it
	Concat    SetFlags = uapi.NFT_SET_CONCAT  // ranges of concatenations
)

// A Set is a set of keys, or a map from keys to data.
type Set struct {
	Family     Family
	Table      string
	Name       string
	Flags      SetFlags
	Key        Type
	Data       Type         // of a map
	Timeout    Milliseconds // of elements that are added without one
	GCInterval uint32       // milliseconds between removals of elements that have timed out; zero means the kernel's choice
	Policy     uint32       // NFT_SET_POL_*
	Size       uint32       // the most elements; zero means no limit, and 65535 for a Dynamic set
	// Fields are the lengths of the fields of a concatenation, for a set of ranges of
	// concatenations.
	Fields  []uint32
	Comment string
	// UserData is what nft(8) keeps beside the comment and the order of bytes.
	UserData UserData
	// ID names the set in the same batch. It is for anonymous sets: the kernel puts a
	// number for the "%d" in their names. Names of anonymous sets must differ.
	ID uint32

	Handle      uint64 // the kernel chooses it
	Unknown     string // the attributes without a field, with headers
	UnknownDesc string // those in NFTA_SET_DESC
}

// String returns the words of nft(8): "set inet filter clients".
func (s Set) String() string {
	kind := "set"
	if s.Flags&Map != 0 {
		kind = "map"
	}
	return object(kind, s.Family, s.Table, s.Name)
}

// Equal reports whether all fields of s and o are the same.
func (s Set) Equal(o Set) bool {
	if !slices.Equal(s.Fields, o.Fields) {
		return false
	}
	s.Fields, o.Fields = nil, nil
	return s.same(&o)
}

func (s *Set) same(o *Set) bool {
	return s.Family == o.Family && s.Table == o.Table && s.Name == o.Name && s.Flags == o.Flags &&
		s.Key == o.Key && s.Data == o.Data && s.Timeout == o.Timeout && s.GCInterval == o.GCInterval &&
		s.Policy == o.Policy && s.Size == o.Size && s.Comment == o.Comment && s.UserData == o.UserData &&
		s.ID == o.ID && s.Handle == o.Handle &&
		s.Unknown == o.Unknown && s.UnknownDesc == o.UnknownDesc
}

// A Type is the type of a key or of data.
type Type struct {
	Number uint32 // nft(8) numbers types; the kernel does not look at it, except for verdicts
	Len    uint32 // bytes
	Order  uint32 // for nft(8): 1 is host byte order, 2 is network byte order, 0 unknown
}

// Types of keys and data, with the names and numbers of nft(8).
var (
	TypeIPv4Addr    = Type{7, 4, orderBig}
	TypeIPv6Addr    = Type{8, 16, orderBig}
	TypeInetProto   = Type{12, 1, orderBig}
	TypeInetService = Type{13, 2, orderBig} // a port
	TypeMark        = Type{19, 4, orderHost}
	TypeIfaceIndex  = Type{20, 4, orderHost}
	TypeIfName      = Type{41, 16, orderHost}
	TypeVerdict     = Type{Number: uapi.NFT_DATA_VERDICT}
)

// typeBits is how many bits one number has in that of a concatenation.
const typeBits = 6

// ConcatOf returns the type of a concatenation, of up to five types.
func ConcatOf(types ...Type) Type {
	if len(types) == 1 {
		return types[0]
	}
	var c Type
	for _, t := range types {
		c.Number = c.Number<<typeBits | t.Number
		c.Len += (t.Len + 3) &^ 3
	}
	return c
}

// Lengths returns the Fields of a set whose key is the concatenation of types.
func Lengths(types ...Type) []uint32 {
	var lens []uint32
	for _, t := range types {
		lens = append(lens, t.Len)
	}
	return lens
}

var setCodec = attr.NewCodec(func(s *Set) *string { return &s.Unknown },
	attr.Field(uapi.NFTA_SET_TABLE, name[string], func(s *Set) *string { return &s.Table }),
	attr.Field(uapi.NFTA_SET_NAME, name[string], func(s *Set) *string { return &s.Name }),
	attr.Field(uapi.NFTA_SET_FLAGS, attr.BE32[SetFlags], func(s *Set) *SetFlags { return &s.Flags }),
	attr.Field(uapi.NFTA_SET_KEY_TYPE, attr.BE32[uint32], func(s *Set) *uint32 { return &s.Key.Number }),
	attr.Field(uapi.NFTA_SET_KEY_LEN, attr.BE32[uint32], func(s *Set) *uint32 { return &s.Key.Len }),
	attr.Field(uapi.NFTA_SET_DATA_TYPE, attr.BE32[uint32], func(s *Set) *uint32 { return &s.Data.Number }),
	attr.Func(uapi.NFTA_SET_DATA_LEN,
		func(b []byte, s *Set) ([]byte, bool, error) {
			b, err := attr.BE32[uint32]().Append(b, s.Data.Len)
			return b, s.Data.Number != 0 || s.Data.Len != 0, err
		},
		func(p []byte, s *Set) (err error) {
			s.Data.Len, err = attr.BE32[uint32]().Decode(p)
			return err
		}),
	attr.Field(uapi.NFTA_SET_ID, attr.BE32[uint32], func(s *Set) *uint32 { return &s.ID }),
	attr.Field(uapi.NFTA_SET_POLICY, attr.BE32[uint32], func(s *Set) *uint32 { return &s.Policy }),
	attr.Nested(attr.Func(uapi.NFTA_SET_DESC, putDesc, getDesc)),
	attr.Field(uapi.NFTA_SET_TIMEOUT, attr.BE64[Milliseconds], func(s *Set) *Milliseconds { return &s.Timeout }),
	attr.Field(uapi.NFTA_SET_GC_INTERVAL, attr.BE32[uint32], func(s *Set) *uint32 { return &s.GCInterval }),
	attr.Func(uapi.NFTA_SET_USERDATA, putSetData, getSetData),
	attr.Field(uapi.NFTA_SET_HANDLE, attr.BE64[uint64], func(s *Set) *uint64 { return &s.Handle }),
	attr.Drop[Set](uapi.NFTA_SET_PAD),
)

func putDesc(b []byte, s *Set) ([]byte, bool, error) {
	if s.Size != 0 {
		b = appendBE32(b, uapi.NFTA_SET_DESC_SIZE, s.Size)
	}
	var list []byte
	for _, n := range s.Fields {
		var err error
		if list, err = appendMember(list, appendBE32(nil, fieldLen(uapi.NFTA_SET_FIELD_LEN), n)); err != nil {
			return b, false, err
		}
	}
	if len(list) > attr.MaxPayload {
		return b, false, fmt.Errorf("%d fields do not fit into an attribute", len(s.Fields))
	}
	if len(list) > 0 {
		b = attr.AppendNested(b, uapi.NFTA_SET_DESC_CONCAT, list)
	}
	b = append(b, s.UnknownDesc...)
	return b, s.Size != 0 || len(list) > 0 || s.UnknownDesc != "", nil
}

// fieldLen is the number of an attribute of a field.
type fieldLen uint16

// String returns the kernel's name.
func (fieldLen) String() string { return "NFTA_SET_FIELD_LEN" }

func getDesc(p []byte, s *Set) (err error) {
	s.Size, s.Fields, s.UnknownDesc = 0, nil, ""
	k := attr.BE32[uint32]()
	for num, inner := range attr.All(p) {
		switch uapi.NFTASetDesc(num & attr.TypeMask) {
		case uapi.NFTA_SET_DESC_SIZE:
			s.Size, err = k.Decode(inner)
		case uapi.NFTA_SET_DESC_CONCAT:
			err = members(inner, func(member []byte) error {
				length, _ := attr.First(member, uapi.NFTA_SET_FIELD_LEN)
				n, err := k.Decode(length)
				s.Fields = append(s.Fields, n)
				return err
			})
		default:
			s.UnknownDesc += string(attr.Append(nil, num, inner))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putSetData writes the user data: the order of bytes of key and data, what else nft(8)
// has, and the comment.
func putSetData(b []byte, s *Set) ([]byte, bool, error) {
	u := s.UserData
	if s.Key.Order != 0 {
		u = u.withNumber(udataSetKeyOrder, s.Key.Order)
	}
	if s.Data.Order != 0 {
		u = u.withNumber(udataSetDataOrder, s.Data.Order)
	}
	u, err := u.withComment(udataSetComment, s.Comment)
	if err == nil {
		err = u.check()
	}
	return append(b, u...), u != "", err
}

func getSetData(p []byte, s *Set) error {
	u := UserData(p)
	s.Comment, u = u.takeComment(udataSetComment)
	s.Data.Order, u, _ = u.takeNumber(udataSetDataOrder)
	s.Key.Order, u, _ = u.takeNumber(udataSetKeyOrder)
	s.UserData = u
	return nil
}
