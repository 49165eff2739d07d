package nft

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// FuzzDecode reads any bytes as messages of nf_tables. What can be read is not lost when it
// is written and read again.
func FuzzDecode(f *testing.F) {
	for _, r := range recordings(f) {
		for _, m := range r.messages {
			f.Add(m.typ, m.payload)
		}
	}
	f.Add(uint8(uapi.NFT_MSG_NEWGEN), attr.Append(nil, uint16(uapi.NFTA_GEN_PROC_NAME), []byte("nft")))
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, typ uint8, b []byte) {
		seeds.Next(t)
		input := bytes.Clone(b)
		c, _ := decodeChanged(typ, Inet, b)
		_ = c.String()
		switch typ {
		case uapi.NFT_MSG_NEWTABLE:
			refuzz(t, tableCodec, b)
		case uapi.NFT_MSG_NEWCHAIN:
			refuzz(t, chainCodec, b)
		case uapi.NFT_MSG_NEWRULE, uapi.NFT_MSG_DELRULE:
			if r, ok := refuzz(t, ruleCodec, b); ok {
				canonicalTwice(t, &Contents{Found: true, Chains: []Chain{{Name: r.Chain}}, Rules: []Rule{r}})
			}
		case uapi.NFT_MSG_NEWSET:
			if s, ok := refuzz(t, setCodec, b); ok {
				canonicalTwice(t, &Contents{Found: true, Sets: []Set{s}})
			}
		case uapi.NFT_MSG_NEWSETELEM, uapi.NFT_MSG_DELSETELEM:
			refuzz(t, elementListCodec, b)
		default:
			refuzz(t, generationCodec, b)
		}
		if !bytes.Equal(b, input) {
			t.Fatalf("decoding wrote to its input:\nwas %x\nis  %x", input, b)
		}
	})
}

// refuzz reads, writes and reads, and returns what it has read.
func refuzz[M any](t *testing.T, c *attr.Codec[M], b []byte) (m M, ok bool) {
	if c.Decode(b, &m) != nil {
		return m, false
	}
	written, err := c.Append(nil, &m)
	if err != nil {
		return m, true // a name or a value is too long
	}
	var again M
	if err := c.Decode(written, &again); err != nil {
		t.Fatalf("%+v is written as %x: %v", m, written, err)
	}
	if !reflect.DeepEqual(again, m) {
		t.Fatalf("read %+v,\nand then %+v", m, again)
	}
	return m, true
}

// canonicalTwice holds that the canonical form is its own canonical form, and has a text.
func canonicalTwice(t *testing.T, c *Contents) {
	once := c.Canonical()
	if !reflect.DeepEqual(once.Canonical(), once) {
		t.Fatalf("canonical %+v, and again %+v", once, once.Canonical())
	}
	_ = c.Lines()
}

// FuzzUserData reads any bytes as user data.
func FuzzUserData(f *testing.F) {
	f.Add("\x00\x02a\x00")
	f.Add("\x00\x04\x01\x00\x00\x00\x07\x02a\x00")
	f.Add("\x00\x04\x00\x00\x00\x00")
	f.Add("\x07\xff")
	var seeds testrun.Seeds
	f.Fuzz(func(t *testing.T, s string) {
		seeds.Next(t)
		u := UserData(s)
		for _, typ := range []uint8{udataComment, udataSetComment} {
			comment, rest := u.takeComment(typ)
			if back, err := rest.withComment(typ, comment); err != nil || back != u {
				t.Fatalf("%q: comment %q and %q make %q, %v", u, comment, rest, back, err)
			}
		}
		var set, again Set
		if err := getSetData([]byte(s), &set); err != nil {
			t.Fatal(err)
		}
		b, _, err := putSetData(nil, &set)
		if err != nil {
			return // too long
		}
		if err := getSetData(b, &again); err != nil || !again.Equal(set) {
			t.Fatalf("%q: %+v, and again %+v, %v", s, set, again, err)
		}
	})
}
