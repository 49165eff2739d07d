package nft

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"syscall"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Generation is a state of the tables of a network namespace. Each commit makes a new
// one.
type Generation struct {
	ID      uint32
	PID     uint32 // the thread that made it, in notifications; zero if it is unknown
	Process string // the name of that thread
	Unknown string // the attributes without a field, with headers
}

var generationCodec = attr.NewCodec(func(g *Generation) *string { return &g.Unknown },
	attr.Field(uapi.NFTA_GEN_ID, attr.BE32[uint32], func(g *Generation) *uint32 { return &g.ID }),
	attr.Field(uapi.NFTA_GEN_PROC_PID, attr.BE32[uint32], func(g *Generation) *uint32 { return &g.PID }),
	attr.Field(uapi.NFTA_GEN_PROC_NAME, text[string], func(g *Generation) *string { return &g.Process }),
)

// GetGeneration returns the present generation. The error is errors.ErrUnsupported if the
// kernel has no nf_tables.
func GetGeneration(ctx context.Context, c Conn) (Generation, error) {
	var g Generation
	err := get(ctx, c, uapi.NFT_MSG_GETGEN, AnyFamily, nil, func(p []byte) error { return generationCodec.Decode(p, &g) })
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) {
		err = errors.Join(err, errors.ErrUnsupported)
	}
	return g, readError("the generation", err)
}

// readError returns an error of reading.
func readError(what string, err error) error {
	if err == nil {
		return nil
	}
	return &rtnl.Error{Package: "nft", Verb: "list", Object: what, Err: err}
}

// get asks for one object.
func get(ctx context.Context, c Conn, typ uint8, f Family, payload []byte, decode func([]byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	msgs, err := rtnl.Replies(c, message(typ, 0, f, payload))
	if err != nil {
		return err
	}
	switch {
	case len(msgs) == 0:
		return errNoReply
	case len(msgs[0].Data) < uapi.SizeofNfgenmsg:
		return errShort
	}
	return decode(msgs[0].Data[uapi.SizeofNfgenmsg:])
}

var (
	errShort      = errors.New("a message is shorter than its header")
	errNoReply    = errors.New("there is no reply with data")
	errIncoherent = errors.New("the ruleset changed during each attempt to list it")
	errChanged    = errors.New("the ruleset changed during the listing") // another attempt follows
)

// dump yields the family and the attributes of each message of a dump. errChanged ends
// it if the ruleset changed.
func dump(ctx context.Context, c Conn, typ uint8, f Family, payload []byte) iter.Seq2[Family, dumped] {
	return func(yield func(Family, dumped) bool) {
		if err := ctx.Err(); err != nil {
			yield(0, dumped{err: err})
			return
		}
		for m, err := range rtnl.Dump(c, message(typ, netlink.Dump, f, payload)) {
			switch {
			case err != nil:
			case m.Header.Flags&dumpInterrupted != 0:
				err = errChanged
			case len(m.Data) < uapi.SizeofNfgenmsg:
				err = errShort
			default:
				err = ctx.Err()
			}
			if err != nil {
				yield(0, dumped{err: err})
				return
			}
			if !yield(Family(m.Data[uapi.NfgenmsgFamily]), dumped{attrs: m.Data[uapi.SizeofNfgenmsg:]}) {
				return
			}
		}
	}
}

// dumpInterrupted says that a dump is not of one generation.
const dumpInterrupted netlink.HeaderFlags = uapi.NLM_F_DUMP_INTR

// A dumped is the attributes of a message, or an error.
type dumped struct {
	attrs []byte
	err   error
}

// collect decodes the messages of a dump, and keeps those that keep accepts.
func collect[M any](ctx context.Context, c Conn, typ uint8, f Family, payload []byte, codec *attr.Codec[M],
	set func(*M, Family), keep func(*M) bool,
) ([]M, error) {
	var all []M
	for family, d := range dump(ctx, c, typ, f, payload) {
		if d.err != nil {
			return nil, d.err
		}
		var m M
		if err := codec.Decode(d.attrs, &m); err != nil {
			return nil, err
		}
		if set(&m, family); keep(&m) {
			all = append(all, m)
		}
	}
	return all, nil
}

// coherent calls read until the generation is the same before and after it.
func coherent(ctx context.Context, c Conn, read func() error) (Generation, error) {
	const attempts = 50
	for range attempts {
		before, err := GetGeneration(ctx, c)
		if err != nil {
			return before, err
		}
		err = read()
		if err != nil && !errors.Is(err, errChanged) {
			return before, err
		}
		after, genErr := GetGeneration(ctx, c)
		if genErr != nil || err == nil && after.ID == before.ID {
			return after, genErr
		}
	}
	return Generation{}, errIncoherent
}

// A Contents is what the kernel has of a table, or should have.
type Contents struct {
	Generation uint32 // zero for one that is not from the kernel
	Found      bool   // the table exists
	Table      Table
	Chains     []Chain
	Sets       []Set
	// Elements are those of the sets, by name, but not those of sets with the flag
	// Dynamic, which packets change.
	Elements map[string][]Element
	Rules    []Rule // in the order of the chains, and of the rules of each chain
}

// Read returns what the kernel has of a table, at one moment. The table need not exist.
func Read(ctx context.Context, c Conn, f Family, table string) (*Contents, error) {
	var t *Contents
	gen, err := coherent(ctx, c, func() (err error) {
		t, err = read(ctx, c, f, table)
		return err
	})
	if err != nil {
		return nil, readError(object("table", f, table), err)
	}
	t.Generation = gen.ID
	return t, nil
}

func read(ctx context.Context, c Conn, f Family, table string) (*Contents, error) {
	t := &Contents{Table: Table{Family: f, Name: table}}
	only, err := tableNames.Append(nil, &names{table: table})
	if err != nil {
		return nil, err
	}
	err = get(ctx, c, uapi.NFT_MSG_GETTABLE, f, only, func(p []byte) error { return tableCodec.Decode(p, &t.Table) })
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	t.Found = true
	// The types of all three attributes are the same.
	if t.Chains, err = chains(ctx, c, f, only, table); err != nil {
		return nil, err
	}
	if t.Sets, err = sets(ctx, c, f, only, table); err != nil {
		return nil, err
	}
	if t.Rules, err = rules(ctx, c, f, only, table); err != nil {
		return nil, err
	}
	for _, s := range t.Sets {
		if s.Flags&Dynamic != 0 {
			continue
		}
		elements, err := elements(ctx, c, s)
		if err != nil {
			return nil, err
		}
		if len(elements) > 0 {
			if t.Elements == nil {
				t.Elements = make(map[string][]Element)
			}
			t.Elements[s.Name] = elements
		}
	}
	return t, nil
}

func chains(ctx context.Context, c Conn, f Family, only []byte, table string) ([]Chain, error) {
	return collect(ctx, c, uapi.NFT_MSG_GETCHAIN, f, only, chainCodec,
		func(m *Chain, f Family) { m.Family = f }, func(m *Chain) bool { return table == "" || m.Table == table })
}

func sets(ctx context.Context, c Conn, f Family, only []byte, table string) ([]Set, error) {
	return collect(ctx, c, uapi.NFT_MSG_GETSET, f, only, setCodec,
		func(m *Set, f Family) { m.Family = f }, func(m *Set) bool { return table == "" || m.Table == table })
}

func rules(ctx context.Context, c Conn, f Family, only []byte, table string) ([]Rule, error) {
	return collect(ctx, c, uapi.NFT_MSG_GETRULE, f, only, ruleCodec,
		func(m *Rule, f Family) { m.Family = f }, func(m *Rule) bool { return table == "" || m.Table == table })
}

func elements(ctx context.Context, c Conn, s Set) ([]Element, error) {
	payload, err := elementNames.Append(nil, &names{table: s.Table, name: s.Name})
	if err != nil {
		return nil, err
	}
	var all []Element
	for _, d := range dump(ctx, c, uapi.NFT_MSG_GETSETELEM, s.Family, payload) {
		if d.err != nil {
			return nil, d.err
		}
		var l elementList
		if err := elementListCodec.Decode(d.attrs, &l); err != nil {
			return nil, err
		}
		all = append(all, l.elements...)
	}
	return all, nil
}

// Elements returns the elements of a set. The error is fs.ErrNotExist if there is no such
// set. Elements that packets add or remove during the listing may be in it or not. The
// kernel resizes a large set some time after elements were added; a listing at that time may
// have some elements twice and lack others.
func Elements(ctx context.Context, c Conn, s Set) ([]Element, error) {
	var all []Element
	_, err := coherent(ctx, c, func() (err error) {
		all, err = elements(ctx, c, s)
		return err
	})
	return all, readError("elements of "+s.String(), err)
}

// A Host is what the kernel has of all programs in a network namespace, without elements of
// sets.
type Host struct {
	Generation uint32
	Tables     []Table
	Chains     []Chain
	Sets       []Set
	Rules      []Rule
}

// ReadHost returns what the kernel has of all programs, at one moment. f selects a family,
// or [AnyFamily].
func ReadHost(ctx context.Context, c Conn, f Family) (*Host, error) {
	var h *Host
	gen, err := coherent(ctx, c, func() (err error) {
		h = new(Host)
		if h.Tables, err = collect(ctx, c, uapi.NFT_MSG_GETTABLE, f, nil, tableCodec,
			func(m *Table, f Family) { m.Family = f }, func(*Table) bool { return true }); err != nil {
			return err
		}
		if h.Chains, err = chains(ctx, c, f, nil, ""); err != nil {
			return err
		}
		if h.Sets, err = sets(ctx, c, f, nil, ""); err != nil {
			return err
		}
		h.Rules, err = rules(ctx, c, f, nil, "")
		return err
	})
	if err != nil {
		return nil, readError("all tables", err)
	}
	h.Generation = gen.ID
	return h, nil
}

// Update reads a table, has change say what to do about it, and commits that. If the
// ruleset changes in between, it starts again. change is then called again.
func Update(ctx context.Context, c Conn, f Family, table string, change func(now *Contents) (*Batch, error)) error {
	const attempts = 50
	var err error
	for range attempts {
		var now *Contents
		if now, err = Read(ctx, c, f, table); err != nil {
			return err
		}
		var b *Batch
		if b, err = change(now); err != nil {
			return err
		}
		b.Generation = now.Generation
		if err = Commit(ctx, c, b); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return err
}
