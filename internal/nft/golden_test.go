package nft

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// commands is what nft(8) sends for commands. The file says how it was recorded.
//
//go:embed testdata/commands.txt
var commands string

// A recording is what nft(8) sends for one command.
type recording struct {
	command  string
	messages []recordedMessage
	exprs    []string // the text of the expressions, on a little-endian machine
}

type recordedMessage struct {
	typ     uint8
	flags   uint16
	family  Family
	payload []byte // as this machine would have it
}

func recordings(t testing.TB) []recording {
	t.Helper()
	var all []recording
	for line := range strings.Lines(commands) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "> "):
			words := strings.Fields(line)
			typ, err1 := strconv.ParseUint(words[1], 10, 8)
			flags, err2 := strconv.ParseUint(words[2], 0, 16)
			b, err3 := hex.DecodeString(words[3])
			if err1 != nil || err2 != nil || err3 != nil || len(b) < 4 {
				t.Fatalf("bad line %q: %v %v %v", line, err1, err2, err3)
			}
			last := &all[len(all)-1]
			native(b[4:])
			last.messages = append(last.messages, recordedMessage{uint8(typ), uint16(flags), Family(b[0]), b[4:]})
		case strings.HasPrefix(line, "["):
			last := &all[len(all)-1]
			last.exprs = append(last.exprs, strings.TrimSuffix(strings.TrimPrefix(line, "[ "), " ]"))
		default:
			all = append(all, recording{command: line})
		}
	}
	if len(all) < 50 {
		t.Fatalf("only %d commands", len(all))
	}
	return all
}

// native turns the headers of attributes from a little-endian machine into those of this
// one.
func native(b []byte) {
	for len(b) >= 4 {
		n, typ := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])
		binary.NativeEndian.PutUint16(b, n)
		binary.NativeEndian.PutUint16(b[2:], typ)
		if typ&uapi.NLA_F_NESTED != 0 {
			native(b[4:n])
		}
		b = b[min(int(n+3)&^3, len(b)):]
	}
}

func isLittleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// again decodes a message and encodes what it has decoded.
func again(m recordedMessage) ([]byte, any, error) {
	switch m.typ {
	case uapi.NFT_MSG_NEWTABLE:
		return through(tableCodec, m.payload)
	case uapi.NFT_MSG_NEWCHAIN:
		return through(chainCodec, m.payload)
	case uapi.NFT_MSG_NEWRULE, uapi.NFT_MSG_DELRULE:
		return through(ruleCodec, m.payload)
	case uapi.NFT_MSG_NEWSET:
		return through(setCodec, m.payload)
	case uapi.NFT_MSG_NEWSETELEM:
		return through(elementListCodec, m.payload)
	case uapi.NFT_MSG_DELTABLE:
		return through(tableNames, m.payload)
	case uapi.NFT_MSG_DELCHAIN:
		return through(chainNames, m.payload)
	case uapi.NFT_MSG_DELSET:
		return through(setNames, m.payload)
	case uapi.NFT_MSG_DELSETELEM:
		if _, ok := attr.First(m.payload, uapi.NFTA_SET_ELEM_LIST_ELEMENTS); ok {
			return through(elementListCodec, m.payload)
		}
		return through(elementNames, m.payload)
	}
	return nil, nil, fmt.Errorf("message %d", m.typ)
}

func through[M any](c *attr.Codec[M], p []byte) ([]byte, any, error) {
	var m M
	if err := c.Decode(p, &m); err != nil {
		return nil, nil, err
	}
	b, err := c.Append(nil, &m)
	return b, m, err
}

// TestGoldenDecode holds that nothing of what nft(8) sends is lost: what is decoded can be
// encoded to the same bytes. The text of expressions is that of nft(8).
func TestGoldenDecode(t *testing.T) {
	report := testrun.Limit(t)
	for _, r := range recordings(t) {
		var exprs []string
		for _, m := range r.messages {
			b, value, err := again(m)
			if err != nil {
				report.Errorf("%s: %v", r.command, err)
				continue
			}
			if want := withoutDefaults(m.payload); !bytes.Equal(withoutDefaults(b), want) {
				report.Errorf("%s: decoded %+v, encoded\n%x, want\n%x", r.command, value, b, want)
			}
			if rule, ok := value.(Rule); ok {
				exprs = append(exprs, textsOf(rule.Exprs)...)
			}
		}
		if strings.Contains(r.command, "tables-nft") {
			continue // its expressions were not recorded as text
		}
		if want := withoutRaw(r.exprs); isLittleEndian() && !slices.Equal(exprs, want) {
			report.Errorf("%s:\ngot  %q\nwant %q", r.command, exprs, want)
		}
	}
}

// withoutDefaults returns attributes without an NFTA_BITWISE_OP and counts that are zero.
// nft(8) sends them in some rules and not in others.
func withoutDefaults(b []byte) []byte {
	return rewrite(b, func(name string, p []byte) []byte {
		for num, v := range attr.All(p) {
			isDefault := name == "counter" || name == "bitwise" && num == uint16(uapi.NFTA_BITWISE_OP)
			if isDefault && bytes.Equal(v, make([]byte, len(v))) {
				p = []byte(attr.Without(string(p), num))
			}
		}
		return p
	})
}

// rewrite returns the attributes of a message with others in its expressions.
func rewrite(b []byte, expr func(name string, p []byte) []byte) []byte {
	var out []byte
	name := ""
	for num, p := range attr.All(b) {
		switch {
		case num == uint16(uapi.NFTA_EXPR_NAME):
			name = string(bytes.TrimSuffix(p, []byte{0}))
		case num == uint16(uapi.NFTA_EXPR_DATA)|uapi.NLA_F_NESTED && name != "":
			p = expr(name, p)
		case num&uapi.NLA_F_NESTED != 0:
			p = rewrite(p, expr)
		}
		out = attr.Append(out, num, p)
	}
	return out
}

// A DNAT of iptables-nft is found by its name.
func TestForeignTarget(t *testing.T) {
	found := 0
	for _, r := range recordings(t) {
		for _, m := range r.messages {
			var rule Rule
			if m.typ != uapi.NFT_MSG_NEWRULE || ruleCodec.Decode(m.payload, &rule) != nil {
				continue
			}
			for _, e := range rule.Exprs {
				switch e := e.(type) {
				case Target:
					found++
					if e.Target != "DNAT" && e.Target != "MASQUERADE" || len(e.Info) == 0 {
						t.Errorf("%s: %+v", r.command, e)
					}
				case Match:
					found++
					if e.Match != "addrtype" || e.Revision != 1 || len(e.Info) != 8 {
						t.Errorf("%s: %+v", r.command, e)
					}
				}
			}
		}
	}
	if found != 3 {
		t.Errorf("%d targets and matches, want 3", found)
	}
}

// textsOf returns the texts of expressions that have a type.
func textsOf(exprs []Expr) []string {
	var texts []string
	for _, e := range exprs {
		if _, raw := e.(Raw); !raw {
			texts = append(texts, e.String())
		}
	}
	return texts
}

// withoutRaw leaves out what has no type here.
func withoutRaw(texts []string) []string {
	var some []string
	for _, s := range texts {
		if !strings.HasPrefix(s, "limit ") && !strings.HasPrefix(s, "log ") {
			some = append(some, s)
		}
	}
	return some
}
