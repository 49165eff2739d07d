package explain

import (
	"fmt"
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// An addressLine is the line of an address or a neighbour that is being parsed.
type addressLine struct {
	Address
	state NeighbourState
	peer  netip.Prefix
	names *route.Names
}

var devWord = iptext.Word[addressLine]{Names: []string{"dev"}, Parse: func(w *iptext.Words, l *addressLine) error {
	return iptext.ArgLink(w, l.names.Links, &l.Index)
}}

var addressWords = func() iptext.Table[addressLine] {
	t := iptext.Table[addressLine]{
		devWord,
		{Names: []string{"peer"}, Parse: func(w *iptext.Words, l *addressLine) error { return iptext.ArgPrefix(w, &l.peer) }},
		{Names: []string{"scope"}, Parse: func(w *iptext.Words, l *addressLine) error {
			return iptext.ArgText(w, "a scope", &l.Scope)
		}},
		{Names: []string{temporaryWord}, Parse: func(_ *iptext.Words, l *addressLine) error {
			l.Flags |= FlagTemporary
			return nil
		}},
	}
	for _, x := range addressFlagWords {
		t = append(t, iptext.Word[addressLine]{Names: []string{x.Name}, Parse: func(_ *iptext.Words, l *addressLine) error {
			l.Flags |= AddressFlags(x.Bit)
			return nil
		}})
	}
	return t
}()

// parseAddress reads the words of ip-address(8) that follow "ip address add".
func parseAddress(args []string, names *route.Names) (Address, error) {
	w := iptext.WordsOf("explain", args)
	l := addressLine{names: names}
	var p netip.Prefix
	w.Accept("local")
	if err := iptext.ArgPrefix(w, &p); err != nil {
		return Address{}, err
	}
	l.Addr, l.Bits, l.Scope = p.Addr(), uint8(p.Bits()), defaultScope(p.Addr())
	for w.More() {
		if err := addressWords.Parse(w, &l, "a word of an address"); err != nil {
			return Address{}, err
		}
	}
	switch {
	case l.Index == 0:
		return Address{}, fmt.Errorf("the address %s has no interface: want dev and its name", l.Addr)
	case l.peer.IsValid() && l.peer.Addr().Is4() != l.Addr.Is4():
		return Address{}, fmt.Errorf("%s and its peer %s are of different families", l.Addr, l.peer.Addr())
	case l.peer.IsValid():
		l.Peer, l.Bits = l.peer.Addr(), uint8(l.peer.Bits())
	}
	return l.Address, nil
}

var neighbourWords = iptext.Table[addressLine]{
	devWord,
	{Names: []string{"nud"}, Parse: func(w *iptext.Words, l *addressLine) error {
		return iptext.ArgText(w, "a state of a neighbour", &l.state)
	}},
	{Names: []string{"lladdr"}, Parse: func(w *iptext.Words, _ *addressLine) error {
		_, err := w.Arg("an address of the link layer")
		return err
	}},
}

// parseNeighbour reads the words of ip-neighbour(8) that follow "ip neighbour add".
func parseNeighbour(args []string, names *route.Names) (Neighbour, error) {
	w := iptext.WordsOf("explain", args)
	l := addressLine{names: names, state: NeighbourPermanent}
	w.Accept("to")
	if err := iptext.ArgAddr(w, &l.Addr); err != nil {
		return Neighbour{}, err
	}
	for w.More() {
		if err := neighbourWords.Parse(w, &l, "a word of a neighbour"); err != nil {
			return Neighbour{}, err
		}
	}
	if l.Index == 0 {
		return Neighbour{}, fmt.Errorf("the neighbour %s has no interface: want dev and its name", l.Addr)
	}
	return Neighbour{Index: l.Index, Addr: l.Addr, State: l.state}, nil
}
