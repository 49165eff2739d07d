package nft

import (
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/uapi"
)

// TableFlags are flags of a table, NFT_TABLE_F_*.
type TableFlags uint32

// Flags of a table.
const (
	Dormant TableFlags = uapi.NFT_TABLE_F_DORMANT // its chains see no packets
	Owner   TableFlags = uapi.NFT_TABLE_F_OWNER   // it goes with the socket that made it
)

// A Table is a table with chains, sets and rules.
type Table struct {
	Family  Family
	Name    string
	Flags   TableFlags
	Comment string
	// UserData is what nft(8) keeps beside the comment.
	UserData UserData

	// The kernel chooses these.
	Handle  uint64
	Use     uint32 // the number of chains, sets and other objects
	OwnerID uint32 // the port of the socket that owns the table

	Unknown string // the attributes without a field, with headers
}

// String returns the words of nft(8): "table inet filter".
func (t Table) String() string { return object("table", t.Family, t.Name) }

// object joins the words that name an object.
func object(kind string, f Family, words ...string) string {
	return kind + " " + f.String() + " " + strings.Join(words, " ")
}

var tableCodec = attr.NewCodec(func(t *Table) *string { return &t.Unknown },
	attr.Field(uapi.NFTA_TABLE_NAME, name[string], func(t *Table) *string { return &t.Name }),
	always(uapi.NFTA_TABLE_FLAGS, attr.BE32[TableFlags], func(t *Table) *TableFlags { return &t.Flags }),
	userDataRow(uapi.NFTA_TABLE_USERDATA, udataComment,
		func(t *Table) *UserData { return &t.UserData }, func(t *Table) *string { return &t.Comment }),
	attr.Field(uapi.NFTA_TABLE_HANDLE, attr.BE64[uint64], func(t *Table) *uint64 { return &t.Handle }),
	attr.Field(uapi.NFTA_TABLE_USE, attr.BE32[uint32], func(t *Table) *uint32 { return &t.Use }),
	attr.Field(uapi.NFTA_TABLE_OWNER, attr.BE32[uint32], func(t *Table) *uint32 { return &t.OwnerID }),
	attr.Drop[Table](uapi.NFTA_TABLE_PAD),
)

// userDataRow returns the row of the user data of an object with a comment.
func userDataRow[A attr.Number, M any](num A, typ uint8, data func(*M) *UserData, comment func(*M) *string) attr.Row[M] {
	return attr.Func(num,
		func(b []byte, m *M) ([]byte, bool, error) {
			u, err := data(m).withComment(typ, *comment(m))
			if err == nil {
				err = u.check()
			}
			return append(b, u...), u != "", err
		},
		func(p []byte, m *M) error {
			*comment(m), *data(m) = UserData(p).takeComment(typ)
			return nil
		})
}
