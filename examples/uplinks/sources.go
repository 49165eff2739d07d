package main

import (
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// The word src gives the sources of an uplink. Its arguments:
//
//	src ADDRESS...  addresses of this host
//	src PREFIX...   networks behind this host
//	src dev NAME    the networks of another interface
//	src none        no address of this host
const (
	noSources       = "none"
	sourceInterface = "dev"
)

// argSources takes the arguments of src.
func argSources(w *iptext.Words, u *uplink) error {
	switch w.Peek() {
	case noSources:
		w.Take()
		u.NoSources = true
		return nil
	case sourceInterface:
		w.Take()
		dev, err := argInterface(w)
		u.SourceInterfaces = append(u.SourceInterfaces, dev)
		return err
	}
	for {
		if err := argSource(w, u); err != nil {
			return err
		}
		if !strings.ContainsAny(w.Peek(), ".:/") {
			return nil
		}
	}
}

// argSource takes an address or a prefix.
func argSource(w *iptext.Words, u *uplink) error {
	if !strings.Contains(w.Peek(), "/") {
		var a netip.Addr
		if err := argAddr(w, &a); err != nil {
			return err
		}
		u.Sources = append(u.Sources, a)
		return nil
	}
	p, err := argNetwork(w)
	if err != nil {
		return err
	}
	if p != p.Masked() {
		return w.Errorf("write an address of this host without a length, %s, and a network behind this host without "+
			"the bits beyond its length, %s", p.Addr(), p.Masked())
	}
	u.SourcePrefixes = append(u.SourcePrefixes, p)
	return nil
}

// argNetwork takes a prefix.
func argNetwork(w *iptext.Words) (p netip.Prefix, err error) {
	if err = refuseAddress(w); err == nil {
		err = iptext.ArgPrefix(w, &p)
	}
	return p, err
}

// argSubnet takes a prefix that is on the link.
func argSubnet(w *iptext.Words, p *netip.Prefix) (err error) {
	*p, err = argNetwork(w)
	return err
}

// putSources puts what argSources takes.
func putSources(p *iptext.Printer, u *uplink) {
	words := make([]string, 0, len(u.Sources)+len(u.SourcePrefixes))
	for _, a := range u.Sources {
		words = append(words, a.String())
	}
	for _, x := range u.SourcePrefixes {
		words = append(words, x.String())
	}
	if len(words) > 0 {
		p.Put("src")
		p.Put(words...)
	}
	for _, dev := range u.SourceInterfaces {
		p.Put("src", sourceInterface, dev)
	}
	if u.NoSources {
		p.Put("src", noSources)
	}
}

// takesAll reports whether all addresses of the interface are sources.
func (u *uplink) takesAll() bool { return len(u.Sources) == 0 && !u.NoSources }

// hasNetworks reports whether networks behind this host take the uplink.
func (u *uplink) hasNetworks() bool { return len(u.SourcePrefixes)+len(u.SourceInterfaces) > 0 }
