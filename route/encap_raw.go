package route

import "github.com/policyroute/policyroute/internal/iptext"

// An EncapRaw is an encapsulation of a kind that this package has no struct for. It is
// sent unchanged.
type EncapRaw struct {
	Kind EncapType
	// Data is the payload of RTA_ENCAP.
	Data string
}

// Type returns e.Kind.
func (e EncapRaw) Type() EncapType { return e.Kind }

// String returns the word raw, the type, and Data in hexadecimal.
func (e EncapRaw) String() string { return encapString(e, nil) }

func (e EncapRaw) append(b []byte) ([]byte, error) { return append(b, e.Data...), nil }
func (e EncapRaw) words(*Names) ([]string, bool)   { return nil, false }
func (e EncapRaw) canonical() Encap                { return e }

// rawWords returns a parser of the words of a kind without a struct. It makes an
// EncapRaw, whose own text has the payload in hexadecimal.
func rawWords(t EncapType, parse func(*iptext.Words, *Names) ([]byte, error)) func(*iptext.Words, *Names) (Encap, error) {
	return func(w *iptext.Words, n *Names) (Encap, error) {
		b, err := parse(w, n)
		return EncapRaw{Kind: t, Data: string(b)}, err
	}
}
