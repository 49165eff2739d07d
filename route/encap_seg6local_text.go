package route

import (
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/rttables"
)

// seg6LocalWords are the words of encap seg6local in the order in which ip(8)
// prints them.
var seg6LocalWords = iptext.Table[seg6LocalText]{
	{Names: []string{"action"},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			s, err := w.Arg("an action")
			if err != nil {
				return err
			}
			if n, ok := seg6Actions.Number(s); ok {
				e.Action = Seg6Action(n)
			} else if e.Action, ok = iptext.Uint[Seg6Action](s, 32); !ok {
				return w.Errorf("not an action%s", iptext.Suggest(s, seg6Actions.Names()))
			}
			return nil
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.Action != 0 {
				p.Put("action", e.Action.String())
			}
		}},
	{Names: []string{"srh"},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			if !w.Accept("segs") {
				_, err := w.Arg("segs")
				if err == nil {
					err = w.Errorf("not segs")
				}
				return err
			}
			err := argSegments(w, &e.SRH.Segs)
			if err == nil && w.Accept("hmac") {
				e.SRH.HMAC, err = iptext.ArgUint[uint32](w, "a key", 32)
			}
			if err == nil && e.raw != "" {
				err = w.Errorf(errRawSRH)
			}
			return err
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.SRH != (SRH{}) && e.SRH.Raw == "" {
				p.Put("srh")
				p.Put(e.SRH.words()...)
			}
		}},
	{Names: []string{rawSRHWord},
		Parse: func(w *iptext.Words, e *seg6LocalText) (err error) {
			e.raw, err = argHex(w, "a header")
			if err == nil && e.SRH != (SRH{}) {
				err = w.Errorf(errRawSRH)
			}
			return err
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.SRH.Raw != "" {
				p.Put(rawSRHWord, hex.EncodeToString([]byte(e.SRH.Raw)))
			}
		}},
	seg6Table("table", func(e *seg6LocalText) *rttables.ID { return &e.Table }),
	seg6Table("vrftable", func(e *seg6LocalText) *rttables.ID { return &e.VRFTable }),
	seg6Addr("nh4", IPv4, func(e *seg6LocalText) *netip.Addr { return &e.NH4 }),
	seg6Addr("nh6", IPv6, func(e *seg6LocalText) *netip.Addr { return &e.NH6 }),
	seg6Link("iif", func(e *seg6LocalText) *uint32 { return &e.IIF }),
	seg6Link("oif", func(e *seg6LocalText) *uint32 { return &e.OIF }),
	{Names: []string{"count"},
		Parse: func(_ *iptext.Words, e *seg6LocalText) error {
			e.Counters.Set(Seg6Counters{})
			return nil
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if e.Counters.IsSet() {
				p.Put("count")
			}
		}},
	{Names: []string{"flavors"}, Parse: parseFlavorWords, Print: printFlavorWords},
}

// parseFlavorWords takes the flavors, and for next-csid two lengths.
func parseFlavorWords(w *iptext.Words, e *seg6LocalText) error {
	s, err := w.Arg("flavors")
	if err != nil {
		return err
	}
	var ok bool
	if e.Flavors.Ops, ok = parseFlavors(s); !ok {
		return w.Errorf("not flavors")
	}
	if e.Flavors.Ops&Seg6NextCSID == 0 {
		return nil
	}
	for _, x := range []struct {
		word string
		at   *uint8
	}{{"lblen", &e.Flavors.LBLen}, {"nflen", &e.Flavors.NFLen}} {
		if w.Accept(x.word) {
			if *x.at, err = iptext.ArgUint[uint8](w, "a length", 8); err != nil {
				return err
			}
		}
	}
	return nil
}

func printFlavorWords(p *iptext.Printer, e *seg6LocalText) {
	names, _ := seg6FlavorNames.Names(uint32(e.Flavors.Ops))
	if len(names) == 0 {
		return
	}
	p.Put("flavors", strings.Join(names, ","))
	if e.Flavors.LBLen != 0 {
		p.Put("lblen", iptext.Decimal(e.Flavors.LBLen))
	}
	if e.Flavors.NFLen != 0 {
		p.Put("nflen", iptext.Decimal(e.Flavors.NFLen))
	}
}

func seg6Table(name string, at func(*seg6LocalText) *rttables.ID) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error { return argTable(w, e.names, at(e)) },
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if t := *at(e); t != 0 {
				p.Put(name, e.names.FileNames().Name(t))
			}
		},
	}
}

func seg6Addr(name string, f Family, at func(*seg6LocalText) *netip.Addr) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			own := f
			return argAddr(w, &own, at(e))
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if a := *at(e); a.IsValid() {
				p.Put(name, a.String())
			}
		},
	}
}

func seg6Link(name string, at func(*seg6LocalText) *uint32) iptext.Word[seg6LocalText] {
	return iptext.Word[seg6LocalText]{
		Names: []string{name},
		Parse: func(w *iptext.Words, e *seg6LocalText) error {
			return iptext.ArgLink(w, e.names.LinkNames().Index, at(e))
		},
		Print: func(p *iptext.Printer, e *seg6LocalText) {
			if index := *at(e); index != 0 {
				p.Put(name, e.names.LinkNames().Name(index))
			}
		},
	}
}
