package main

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A lineIndex finds the lines of a file that another line may conflict with. The lists have
// indexes of the file's uplinks.
type lineIndex struct {
	names   map[string][]int
	tables  map[rttables.ID][]int
	sources map[netip.Addr][]int
	// interfaces has the lines without sources: they have all addresses of the interface.
	interfaces map[string][]int
	// networks has the lines with networks behind this host.
	networks []int
}

func newLineIndex() *lineIndex {
	return &lineIndex{
		names: make(map[string][]int), tables: make(map[rttables.ID][]int),
		sources: make(map[netip.Addr][]int), interfaces: make(map[string][]int),
	}
}

// add adds the i-th uplink.
func (x *lineIndex) add(i int, u *uplink) {
	x.names[u.Name] = append(x.names[u.Name], i)
	x.addTable(i, u.Table)
	for _, a := range u.Sources {
		x.sources[a] = append(x.sources[a], i)
	}
	if u.takesAll() {
		x.interfaces[u.Interface] = append(x.interfaces[u.Interface], i)
	}
	if u.hasNetworks() {
		x.networks = append(x.networks, i)
	}
}

// addTable adds the table of the i-th uplink, if it has one.
func (x *lineIndex) addTable(i int, id rttables.ID) {
	if id != 0 && !slices.Contains(x.tables[id], i) {
		x.tables[id] = append(x.tables[id], i)
	}
}

// related returns the uplinks that have the name of u, its table, one of its sources, or
// all addresses of its interface, in the order of the file.
func (x *lineIndex) related(u *uplink, all []uplink) []int {
	lines := slices.Concat(x.names[u.Name], x.tables[u.Table])
	for _, i := range x.names[u.Name] {
		if id := all[i].Table; id != u.Table {
			lines = append(lines, x.tables[id]...) // u may get this table
		}
	}
	for _, a := range u.Sources {
		lines = append(lines, x.sources[a]...)
	}
	if u.takesAll() {
		lines = append(lines, x.interfaces[u.Interface]...)
	}
	if u.hasNetworks() {
		lines = append(lines, x.networks...)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// addUplink adds a line, unless it conflicts with an earlier line. Lines with the same
// name get the same table.
func (c *config) addUplink(u *uplink, index *lineIndex) error {
	position := c.position(u.line)
	for _, i := range index.related(u, c.uplinks) {
		o := &c.uplinks[i]
		if err := c.divideFamilies(u, o); err != nil {
			return err
		}
		if err := u.checkName(position, o); err != nil {
			return err
		}
		if o.Name == u.Name {
			if u.Table == 0 {
				u.Table = o.Table
			}
			o.Table = u.Table
			index.addTable(i, o.Table)
		}
		if err := u.checkSources(position, o); err != nil {
			return err
		}
	}
	index.add(len(c.uplinks), u)
	c.uplinks = append(c.uplinks, *u)
	return nil
}

// divideFamilies gives a line without a family the other family, if another line with the
// same name and interface has a family.
func (c *config) divideFamilies(u, o *uplink) error {
	if o.Name != u.Name || o.Interface != u.Interface || (u.family() == 0) == (o.family() == 0) {
		return nil
	}
	silent, other := u, o
	if o.family() == 0 {
		silent, other = o, u
	}
	silent.Family = route.IPv4
	if other.family() == route.IPv4 {
		silent.Family = route.IPv6
	}
	return silent.validate(c.position(silent.line))
}

// checkName refuses an uplink that has the name and the family of an earlier line, or its
// name but another table, or its table but another name.
func (u *uplink) checkName(position string, o *uplink) error {
	same := o.Name == u.Name
	switch {
	case same && u.sharesFamily(o):
		return fmt.Errorf("%s: %s is already on line %d, with the same family", position, u.Name, o.line)
	case same && u.Table != 0 && o.Table != 0 && u.Table != o.Table:
		return fmt.Errorf("%s: table %d: %s has table %d on line %d",
			position, uint32(u.Table), u.Name, uint32(o.Table), o.line)
	case !same && u.Table != 0 && u.Table == o.Table:
		return fmt.Errorf("%s: table %d already belongs to %s on line %d", position, uint32(u.Table), o.Name, o.line)
	}
	return nil
}

// checkSources refuses an uplink that has a source of an earlier line.
func (u *uplink) checkSources(position string, o *uplink) error {
	if u.Interface == o.Interface && u.takesAll() && o.takesAll() && u.sharesFamily(o) {
		return fmt.Errorf("%s: src: is missing here and on line %d: both uplinks would have all addresses of %s",
			position, o.line, u.Interface)
	}
	for _, a := range u.Sources {
		if slices.Contains(o.Sources, a) {
			return fmt.Errorf("%s: src: %s already belongs to %s on line %d", position, a, o.Name, o.line)
		}
	}
	return u.checkNetworks(position, o)
}

// checkNetworks refuses an uplink that has a network behind this host of an earlier line.
func (u *uplink) checkNetworks(position string, o *uplink) error {
	for _, p := range u.SourcePrefixes {
		for _, q := range o.SourcePrefixes {
			if p.Overlaps(q) {
				return fmt.Errorf("%s: src: %s overlaps with %s of %s on line %d", position, p, q, o.Name, o.line)
			}
		}
	}
	for _, dev := range u.SourceInterfaces {
		if slices.Contains(o.SourceInterfaces, dev) && u.sharesFamily(o) {
			return fmt.Errorf("%s: src: dev %s already belongs to %s on line %d", position, dev, o.Name, o.line)
		}
	}
	return nil
}

// sharesFamily reports whether both uplinks can have addresses of one family.
func (u *uplink) sharesFamily(o *uplink) bool {
	f, g := u.family(), o.family()
	return f == g || f == 0 || g == 0
}
