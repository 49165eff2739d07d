package route

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
)

// rawWord is the keyword for an encapsulation that ip(8) has no words for. The
// type and the payload in hexadecimal follow.
const rawWord = "raw"

// encapString returns the words that follow encap.
func encapString(e Encap, n *Names) string {
	var p iptext.Printer
	if words, ok := e.words(n); ok {
		p.Put(e.Type().String())
		p.Put(words...)
		return p.String()
	}
	data, _ := e.append(nil) // empty if e cannot be sent
	hexData := hex.EncodeToString(data)
	if hexData == "" {
		hexData = "-"
	}
	p.Put(rawWord, iptext.Decimal(e.Type()), hexData)
	return p.String()
}

func putEncap(p *iptext.Printer, n *Names, e Encap) {
	if e != nil {
		p.Put("encap", encapString(e, n))
	}
}

// argEncap takes the words that follow encap.
func argEncap(w *iptext.Words, n *Names, e *Encap) error {
	name, err := w.Arg("a type of encapsulation")
	if err != nil {
		return err
	}
	if name == rawWord {
		return argEncapRaw(w, e)
	}
	t, ok := encapNames.Number(name)
	if !ok {
		return w.Errorf("not a type of encapsulation%s", iptext.Suggest(name, encapNames.Names()))
	}
	if !w.More() {
		_, err := w.Arg("an encapsulation")
		return err
	}
	for _, k := range encapKinds {
		if k.typ == EncapType(t) && k.parse != nil {
			*e, err = k.parse(w, n)
			return err
		}
	}
	return w.Errorf("not a type of encapsulation with words: use %s %d", rawWord, t)
}

// argEncapRaw takes a type and a payload. The type can be one that has words.
func argEncapRaw(w *iptext.Words, e *Encap) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	for num, p := range Attributes(a).All() {
		if *e, err = decodeEncap(EncapType(num), p); err != nil {
			return w.Errorf("%v", err)
		}
	}
	return nil
}

// parseWords takes words of t, each at most once, up to the first that is not
// of t.
func parseWords[T any](w *iptext.Words, t iptext.Table[T], v *T) error {
	seen := make(map[*iptext.Word[T]]bool)
	for w.More() {
		word, ok := t.Find(w.Peek())
		if !ok {
			return nil
		}
		w.Take()
		if seen[word] {
			return w.Errorf("given twice")
		}
		seen[word] = true
		if err := word.Read(w, v); err != nil {
			return err
		}
	}
	return nil
}

// argTable takes the name or number of a table.
func argTable(w *iptext.Words, n *Names, id *rttables.ID) error {
	return iptext.ArgName(w, "a table", func(s string) (uint32, error) {
		id, err := n.FileNames().Parse(s)
		return uint32(id), err
	}, id)
}

// argHex takes bytes in hexadecimal.
func argHex(w *iptext.Words, what string) (string, error) {
	s, err := w.Arg(what)
	if err != nil {
		return "", err
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) > attr.MaxPayload {
		return "", w.Errorf("not %s in hexadecimal", what)
	}
	return string(b), nil
}

// joinEncap decodes the raw attributes again. Two of them, each half of an
// encapsulation, make a whole one, as in a message.
func (l *line) joinEncap() error {
	if l.Unknown == "" {
		return nil
	}
	m := codec.Borrow()
	defer codec.Return(m)
	m.Route, m.Unknown = l.Route, ""
	err := codec.Decode([]byte(l.Unknown), m)
	if err == nil {
		err = m.finish(&m.Encap, &m.Unknown)
	}
	l.Route = m.Route
	return err
}

// joinEncap does the same for a next hop.
func (h *nextHopLine) joinEncap() error {
	if h.Unknown == "" {
		return nil
	}
	m := nextHopCodec.Borrow()
	defer nextHopCodec.Return(m)
	m.NextHop, m.Unknown, m.family = h.NextHop, "", *h.family
	err := nextHopCodec.Decode([]byte(h.Unknown), m)
	if err == nil {
		err = m.finish(&m.Encap, &m.Unknown)
	}
	h.NextHop = m.NextHop
	return err
}

// argEnum takes a name of an enum.
func argEnum(w *iptext.Words, names iptext.Enum) (uint8, error) {
	s, err := w.Arg("a name")
	if err != nil {
		return 0, err
	}
	for _, x := range names {
		if x.Name == s {
			return x.N, nil
		}
	}
	return 0, w.Errorf("not one of %s", strings.Join(names.Names(), ", "))
}

func appendU32(b []byte, num uint16, v uint32) []byte {
	return attr.Append(b, num, binary.NativeEndian.AppendUint32(nil, v))
}

// argOptU8 takes a number of 8 bits.
func argOptU8(w *iptext.Words, what string, o *Opt[uint8]) error {
	v, err := iptext.ArgUint[uint8](w, what, 8)
	if err == nil {
		o.Set(v)
	}
	return err
}
