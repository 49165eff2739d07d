package route

import (
	"encoding/hex"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
)

// rawWord stands before an encapsulation that the words of ip(8) cannot say:
// its type, and its bytes in hexadecimal.
const rawWord = "raw"

func encapString(e Encap, n *Names) string {
	var p iptext.Printer
	if words, ok := e.words(n); ok {
		p.Put(e.Type().String())
		p.Put(words...)
		return p.String()
	}
	data, _ := e.append(nil) // what cannot be sent has no bytes
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
	t, ok := encapTypes.Number(name)
	if !ok {
		return w.Errorf("not a type of encapsulation%s", iptext.Suggest(name, encapTypes.Names()))
	}
	if !w.More() {
		_, err := w.Arg("an encapsulation")
		return err
	}
	switch EncapType(t) {
	case EncapTypeMPLS:
		*e, err = parseEncapMPLS(w)
	case EncapTypeIP:
		*e, err = parseEncapIP(w, n)
	case EncapTypeIP6:
		*e, err = parseEncapIP6(w, n)
	case EncapTypeSeg6:
		*e, err = parseEncapSeg6(w, n)
	case EncapTypeSeg6Local:
		*e, err = parseEncapSeg6Local(w, n)
	default:
		*e, err = parseEncapRaw(w, n, EncapType(t))
	}
	return err
}

// argEncapRaw takes a type and bytes, which may also be those of a type that
// has words.
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

// parseWords takes words of t as long as there are any, each at most once.
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

// argTable takes a table.
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

// joinEncap makes of raw attributes that are half of an encapsulation what a
// message with them would be.
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

// joinEncap is that of a next hop.
func (h *hop) joinEncap() error {
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
