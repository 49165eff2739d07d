package nft

import (
	"encoding/binary"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

// A Batch holds changes, which [Commit] makes all or none of, in their order. The zero
// Batch is empty.
type Batch struct {
	// Generation is that of the [Contents] which the changes are based on. The kernel
	// refuses a batch that is based on an old generation, see [ErrStale]. Zero means that
	// the batch is not based on any.
	Generation uint32

	requests []request
}

// A request is one message of a batch.
type request struct {
	verb, object string
	typ          uint8 // NFT_MSG_*
	flags        netlink.HeaderFlags
	family       Family
	payload      []byte
	err          error // the object cannot be sent
}

// Flags of requests that add something.
const (
	create    = netlink.Create
	exclusive = netlink.Create | netlink.Excl
)

// Len returns the number of requests.
func (b *Batch) Len() int { return len(b.requests) }

// Lines returns what each request does: "add chain inet filter input".
func (b *Batch) Lines() []string {
	var lines []string
	for _, r := range b.requests {
		lines = append(lines, r.verb+" "+r.object)
	}
	return lines
}

// add appends a request with the attributes of m.
func add[M any](b *Batch, c *attr.Codec[M], r request, m M) {
	r.payload, r.err = encode(c, nil, m)
	b.requests = append(b.requests, r)
}

// AddTable adds a table. A table with the name may exist.
func (b *Batch) AddTable(t Table) {
	add(b, tableCodec, request{verb: "add", object: t.String(), typ: uapi.NFT_MSG_NEWTABLE, family: t.Family}, t)
}

// CreateTable adds a table, which must not exist.
func (b *Batch) CreateTable(t Table) {
	add(b, tableCodec, request{verb: "create", object: t.String(), typ: uapi.NFT_MSG_NEWTABLE, flags: netlink.Excl, family: t.Family}, t)
}

// DeleteTable deletes the table with the family and name of t, and all that it has. A table
// with a Handle must also have that.
func (b *Batch) DeleteTable(t Table) {
	b.remove(tableNames, uapi.NFT_MSG_DELTABLE, "delete", t.String(), t.Family, names{table: t.Name, handle: t.Handle})
}

// AddChain adds a chain. A chain with the name may exist; its policy is then changed.
func (b *Batch) AddChain(c Chain) {
	add(b, chainCodec, request{verb: "add", object: c.String(), typ: uapi.NFT_MSG_NEWCHAIN, flags: create, family: c.Family}, c)
}

// CreateChain adds a chain, which must not exist.
func (b *Batch) CreateChain(c Chain) {
	add(b, chainCodec, request{verb: "create", object: c.String(), typ: uapi.NFT_MSG_NEWCHAIN, flags: exclusive, family: c.Family}, c)
}

// DeleteChain deletes the chain with the table and name of c, which must have no rules.
func (b *Batch) DeleteChain(c Chain) {
	b.remove(chainNames, uapi.NFT_MSG_DELCHAIN, "delete", c.String(), c.Family, names{table: c.Table, name: c.Name})
}

// FlushChain deletes the rules of a chain.
func (b *Batch) FlushChain(c Chain) {
	b.remove(ruleNames, uapi.NFT_MSG_DELRULE, "flush", c.String(), c.Family, names{table: c.Table, name: c.Name})
}

// AddRule adds a rule at the end of its chain, or after the rule that has the handle
// r.Position.
func (b *Batch) AddRule(r Rule) { b.rule("add", r, create|netlink.Append) }

// InsertRule adds a rule at the beginning of its chain, or before the rule that has the
// handle r.Position.
func (b *Batch) InsertRule(r Rule) { b.rule("insert", r, create) }

// ReplaceRule replaces the rule that has the handle r.Handle.
func (b *Batch) ReplaceRule(r Rule) { b.rule("replace", r, netlink.Replace) }

func (b *Batch) rule(verb string, r Rule, flags netlink.HeaderFlags) {
	if flags != netlink.Replace {
		r.Handle = 0
	} else {
		r.Position = 0
	}
	add(b, ruleCodec, request{verb: verb, object: r.String(), typ: uapi.NFT_MSG_NEWRULE, flags: flags, family: r.Family}, r)
}

// DeleteRule deletes the rule that has the handle r.Handle. Without a handle it is an
// error, as the kernel would delete all rules of the chain.
func (b *Batch) DeleteRule(r Rule) {
	b.remove(ruleNames, uapi.NFT_MSG_DELRULE, "delete", r.String(), r.Family, names{table: r.Table, name: r.Chain, handle: r.Handle})
	if r.Handle == 0 {
		b.requests[len(b.requests)-1].err = errNoHandle
	}
}

// AddSet adds a set. A set with the name may exist.
func (b *Batch) AddSet(s Set) { b.set("add", s, create) }

// CreateSet adds a set, which must not exist.
func (b *Batch) CreateSet(s Set) { b.set("create", s, exclusive) }

func (b *Batch) set(verb string, s Set, flags netlink.HeaderFlags) {
	if s.ID == 0 {
		s.ID = b.nextID() // the kernel wants one
	}
	add(b, setCodec, request{verb: verb, object: s.String(), typ: uapi.NFT_MSG_NEWSET, flags: flags, family: s.Family}, s)
}

// nextID returns the number of a set in the batch.
func (b *Batch) nextID() uint32 { return uint32(len(b.requests)) + 1 }

// DeleteSet deletes the set with the table and name of s, which no rule may use.
func (b *Batch) DeleteSet(s Set) {
	b.remove(setNames, uapi.NFT_MSG_DELSET, "delete", s.String(), s.Family, names{table: s.Table, name: s.Name})
}

// FlushSet deletes the elements of a set.
func (b *Batch) FlushSet(s Set) {
	b.remove(elementNames, uapi.NFT_MSG_DELSETELEM, "flush", s.String(), s.Family, names{table: s.Table, name: s.Name})
}

// elementsPerMessage is so small that their list fits into an attribute.
const elementsPerMessage = 100

// AddElements adds elements to a set. An element that the set has may differ in nothing but
// its timeout.
func (b *Batch) AddElements(s Set, elements ...Element) {
	b.elements("add", s, uapi.NFT_MSG_NEWSETELEM, create, elements)
}

// CreateElements adds elements that the set must not have.
func (b *Batch) CreateElements(s Set, elements ...Element) {
	b.elements("create", s, uapi.NFT_MSG_NEWSETELEM, exclusive, elements)
}

// DeleteElements deletes elements that the set must have.
func (b *Batch) DeleteElements(s Set, elements ...Element) {
	b.elements("delete", s, uapi.NFT_MSG_DELSETELEM, 0, elements)
}

func (b *Batch) elements(verb string, s Set, typ uint8, flags netlink.HeaderFlags, elements []Element) {
	for len(elements) > 0 {
		n := min(len(elements), elementsPerMessage)
		l := elementList{table: s.Table, set: s.Name, setID: s.ID, elements: elements[:n]}
		add(b, elementListCodec, request{verb: verb, object: "elements of " + s.String(), typ: typ, flags: flags, family: s.Family}, l)
		elements = elements[n:]
	}
}

// names are what names an object.
type names struct {
	table, name string
	handle      uint64
}

// nameRow and handleRow return rows of names.
func nameRow[A attr.Number](num A, at func(*names) *string) attr.Row[names] {
	return attr.Field(num, text[string], at)
}

func handleRow[A attr.Number](num A) attr.Row[names] {
	return attr.Field(num, attr.BE64[uint64], func(n *names) *uint64 { return &n.handle })
}

func tableOf(n *names) *string   { return &n.table }
func nameOf(n *names) *string    { return &n.name }
func noUnknown(n *names) *string { return new(string) }

// Codecs of requests that only name an object.
var (
	tableNames = attr.NewCodec(noUnknown,
		nameRow(uapi.NFTA_TABLE_NAME, tableOf), handleRow(uapi.NFTA_TABLE_HANDLE))
	chainNames = attr.NewCodec(noUnknown,
		nameRow(uapi.NFTA_CHAIN_TABLE, tableOf), nameRow(uapi.NFTA_CHAIN_NAME, nameOf))
	ruleNames = attr.NewCodec(noUnknown,
		nameRow(uapi.NFTA_RULE_TABLE, tableOf), nameRow(uapi.NFTA_RULE_CHAIN, nameOf), handleRow(uapi.NFTA_RULE_HANDLE))
	setNames = attr.NewCodec(noUnknown,
		nameRow(uapi.NFTA_SET_TABLE, tableOf), nameRow(uapi.NFTA_SET_NAME, nameOf))
	elementNames = attr.NewCodec(noUnknown,
		nameRow(uapi.NFTA_SET_ELEM_LIST_SET, nameOf), nameRow(uapi.NFTA_SET_ELEM_LIST_TABLE, tableOf))
)

func (b *Batch) remove(c *attr.Codec[names], typ uint8, verb, object string, f Family, n names) {
	add(b, c, request{verb: verb, object: object, typ: typ, family: f}, n)
}

// message returns a message of nf_tables.
func message(typ uint8, flags netlink.HeaderFlags, f Family, payload []byte) netlink.Message {
	data := make([]byte, uapi.SizeofNfgenmsg, uapi.SizeofNfgenmsg+len(payload))
	data[uapi.NfgenmsgFamily] = uint8(f)
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(uapi.NFNL_SUBSYS_NFTABLES<<8 | int(typ)),
			Flags: flags | netlink.Request,
		},
		Data: append(data, payload...),
	}
}

// frame returns the message that begins or ends a batch.
func frame(typ netlink.HeaderType, payload []byte) netlink.Message {
	m := message(0, 0, AnyFamily, payload)
	m.Header.Type = typ
	binary.BigEndian.PutUint16(m.Data[uapi.NfgenmsgResID:], uapi.NFNL_SUBSYS_NFTABLES)
	return m
}

// messages returns the messages of the transaction. The kernel acknowledges the last
// request.
func (b *Batch) messages() ([]netlink.Message, error) {
	var base []byte
	if b.Generation != 0 {
		base = appendBE32(nil, batchGenID(uapi.NFNL_BATCH_GENID), b.Generation)
	}
	msgs := []netlink.Message{frame(uapi.NFNL_MSG_BATCH_BEGIN, base)}
	for i, r := range b.requests {
		if r.err != nil {
			return nil, refused(i, r, rtnl.NotSent(r.err))
		}
		flags := r.flags
		if i == len(b.requests)-1 {
			flags |= netlink.Acknowledge
		}
		msgs = append(msgs, message(r.typ, flags, r.family, r.payload))
	}
	return append(msgs, frame(uapi.NFNL_MSG_BATCH_END, nil)), nil
}

// batchGenID is the number of an attribute of the message that begins a batch.
type batchGenID uint16

// String returns the kernel's name.
func (batchGenID) String() string { return "NFNL_BATCH_GENID" }
