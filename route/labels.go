package route

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Labels is a stack of MPLS labels as in messages: each label is a big-endian word with
// 20 bits of label, 3 bits of traffic class, a bit that marks the bottom of the stack,
// and 8 bits of TTL; see [MakeLabels]. Labels is a string, so values that contain it
// compare with ==. The empty string means no labels.
type Labels string

const maxLabel = 1<<20 - 1

// MakeLabels returns a stack of labels of 20 bits, the outermost first.
func MakeLabels(labels ...uint32) Labels {
	var b []byte
	for i, label := range labels {
		entry := label << uapi.MPLS_LS_LABEL_SHIFT
		if i == len(labels)-1 {
			entry |= 1 << uapi.MPLS_LS_S_SHIFT
		}
		b = binary.BigEndian.AppendUint32(b, entry)
	}
	return Labels(b)
}

// Values returns the labels, the outermost first.
func (l Labels) Values() []uint32 {
	var labels []uint32
	for b := []byte(l); len(b) >= 4; b = b[4:] {
		labels = append(labels, binary.BigEndian.Uint32(b)>>uapi.MPLS_LS_LABEL_SHIFT)
	}
	return labels
}

// String returns the labels with slashes between them: 100/200.
func (l Labels) String() string {
	var s []string
	for _, v := range l.Values() {
		s = append(s, iptext.Decimal(v))
	}
	return strings.Join(s, "/")
}

// plain reports whether String loses nothing.
func (l Labels) plain() bool { return l != "" && MakeLabels(l.Values()...) == l }

// parseLabels reads what String returns.
func parseLabels(s string) (Labels, bool) {
	var labels []uint32
	for part := range strings.SplitSeq(s, "/") {
		v, ok := iptext.Uint[uint32](part, 32)
		if !ok || v > maxLabel {
			return "", false
		}
		labels = append(labels, v)
	}
	return MakeLabels(labels...), true
}

// argLabels takes labels with slashes between them.
func argLabels(w *iptext.Words, l *Labels) error {
	s, err := w.Arg("labels")
	if err != nil {
		return err
	}
	got, ok := parseLabels(s)
	if !ok {
		return w.Errorf("not labels: want numbers of 20 bits with slashes between them")
	}
	*l = got
	return nil
}

// labelStack is the kind of Labels.
func labelStack() attr.Kind[Labels] {
	check := func(n int) error {
		if n%4 != 0 {
			return fmt.Errorf("%d bytes of labels, want 4 for each", n)
		}
		return nil
	}
	return attr.Kind[Labels]{
		Append: func(b []byte, l Labels) ([]byte, error) { return append(b, l...), check(len(l)) },
		Decode: func(p []byte) (Labels, error) { return Labels(p), check(len(p)) },
	}
}

// newDst returns the row of RTA_NEWDST. For families other than MPLS the attribute
// is kept as unknown; no kernel uses it.
func newDst[M any](at func(*M) (*Labels, Family, *Attributes)) attr.Row[M] {
	k := labelStack()
	return attr.Func(uapi.RTA_NEWDST,
		func(b []byte, m *M) ([]byte, bool, error) {
			l, f, _ := at(m)
			if *l == "" {
				return b, false, nil
			}
			b, err := k.Append(b, *l)
			if err == nil && f != MPLS {
				err = fmt.Errorf("a message of family %s cannot have labels", f)
			}
			return b, true, err
		},
		func(p []byte, m *M) (err error) {
			l, f, unknown := at(m)
			if f != MPLS {
				keepUnknown(unknown, uapi.RTA_NEWDST, p)
				return nil
			}
			*l, err = k.Decode(p)
			return err
		})
}

func checkLabel(f Family, label uint32) error {
	switch {
	case f != MPLS:
		return fmt.Errorf("a message of family %s cannot have a label", f)
	case label > maxLabel:
		return fmt.Errorf("label %d has more than 20 bits", label)
	}
	return nil
}

// asWord returns the word for the labels that an MPLS route puts in the place of its
// own. For another family it takes an address, which is kept as an attribute.
func asWord[T any](at func(*T) (*Labels, *Family, *Attributes)) iptext.Word[T] {
	return iptext.Word[T]{
		Names: []string{"as"},
		Parse: func(w *iptext.Words, v *T) error {
			w.Accept("to")
			l, f, unknown := at(v)
			if *f == MPLS {
				return argLabels(w, l)
			}
			var a netip.Addr
			err := argAddr(w, f, &a)
			if err == nil {
				keepUnknown(unknown, uapi.RTA_NEWDST, attr.AppendAddr(nil, a))
			}
			return err
		},
		Print: func(p *iptext.Printer, v *T) {
			l, _, _ := at(v)
			switch {
			case l.plain():
				p.Put("as", l.String())
			case *l != "":
				typ, data := iptext.AttributeArgs(uint16(uapi.RTA_NEWDST), []byte(*l))
				p.Put(iptext.AttributeWord, typ, data)
			}
		},
	}
}

// argSwitch takes enabled or disabled.
func argSwitch(w *iptext.Words, o *Opt[bool]) error {
	s, err := w.Arg("enabled or disabled")
	if err != nil {
		return err
	}
	word, ok := iptext.Expand(s, []string{switchWord(true), switchWord(false)})
	if !ok {
		return w.Errorf("not enabled or disabled")
	}
	o.Set(word == switchWord(true))
	return nil
}

func switchWord(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}
