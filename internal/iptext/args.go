package iptext

import (
	"encoding"
	"errors"
	"net/netip"

	"github.com/policyroute/policyroute/rttables"
)

// ArgText takes an argument that is the text form of v. what describes v in errors,
// as in "a family".
func ArgText(w *Words, what string, v encoding.TextUnmarshaler) error {
	s, err := w.Arg(what)
	if err != nil {
		return err
	}
	if err := v.UnmarshalText([]byte(s)); err != nil {
		suggestion := ""
		var name *NameError
		if errors.As(err, &name) {
			suggestion = name.Suggestion
		}
		return w.Errorf("not %s%s", what, suggestion)
	}
	return nil
}

// ArgName takes an argument that is a name or a number, and fits into a V.
func ArgName[V Number](w *Words, what string, parse func(string) (uint32, error), v *V) error {
	s, err := w.Arg(what)
	if err != nil {
		return err
	}
	n, err := parse(s)
	if err != nil {
		suggestion := ""
		var unknown *rttables.UnknownError
		if errors.As(err, &unknown) && unknown.Near != "" {
			suggestion = "; did you mean " + unknown.Near + "?"
		}
		return w.Errorf("not %s%s", what, suggestion)
	}
	if *v = V(n); uint32(*v) != n {
		return w.Errorf("not %s: too large", what)
	}
	return nil
}

// ArgPrefix takes an argument that is a prefix; see [Prefix].
func ArgPrefix(w *Words, p *netip.Prefix) error {
	s, err := w.Arg("a prefix")
	if err != nil {
		return err
	}
	var ok bool
	if *p, ok = Prefix(s); !ok {
		return w.Errorf("not a prefix")
	}
	return nil
}

// ArgAddr takes an argument that is an address.
func ArgAddr(w *Words, a *netip.Addr) error {
	s, err := w.Arg("an address")
	if err != nil {
		return err
	}
	var ok bool
	if *a, ok = Addr(s); !ok {
		return w.Errorf("not an address")
	}
	return nil
}

// ArgLink takes an argument that is the name of an interface, which links has the index
// of. Zero links have no names.
func ArgLink[L interface {
	comparable
	Index(name string) (index uint32, ok bool)
}](w *Words, links L, v *uint32) error {
	s, err := w.Arg("an interface")
	if err != nil {
		return err
	}
	var ok bool
	if *v, ok = links.Index(s); ok {
		return nil
	}
	var none L
	if links == none {
		return w.Errorf("no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5")
	}
	return w.Errorf("no such interface")
}
