package main

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// argVia takes a gateway, with its family before it if the line has one, as in
// ip-route(8): via inet6 fe80::1.
func argVia(w *iptext.Words, u *uplink) error {
	if f := familyWord(w.Peek()); f == "inet" || f == "inet6" {
		if err := argFamily(w, "inet or inet6", &u.viaFamily); err != nil {
			return err
		}
	}
	if err := argAddr(w, &u.Gateway); err != nil {
		return err
	}
	if u.viaFamily != 0 && route.FamilyOf(u.Gateway) != u.viaFamily {
		return w.Errorf("not an address of %s", u.viaFamily)
	}
	return nil
}

// setFamilyOfVia sets the family of an uplink from the family that the line gives for the
// gateway. In ip-route(8) the words via inet6 belong to a route that is not IPv6.
func (u *uplink) setFamilyOfVia() {
	if u.viaFamily == route.IPv6 && u.Family == 0 && len(u.Sources) == 0 && len(u.Routes) == 0 {
		u.Family = route.IPv4
	}
}

func putVia(p *iptext.Printer, u *uplink) {
	switch {
	case !u.Gateway.IsValid() || u.Learn != 0:
	case u.Gateway.Is6() && u.family() == route.IPv4:
		p.Put("via", route.IPv6.String(), u.Gateway.String())
	default:
		p.Put("via", u.Gateway.String())
	}
}

// argLearn takes the family of default routes that are learned, and the table that they
// are learned from, if it is not main. A table anywhere else in the line is the uplink's.
func argLearn(w *iptext.Words, u *uplink) (err error) {
	if err = argFamily(w, "a family with gateways: inet or inet6", &u.Learn); err != nil || w.Peek() != "table" {
		return err
	}
	w.Take()
	u.LearnTable, err = argTable(w)
	return err
}
