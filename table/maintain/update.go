package maintain

import (
	"net/netip"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/reply"
)

// An Update is a new list of the uplinks that [Run] has to maintain.
type Update struct {
	// Uplinks are all uplinks.
	Uplinks []Uplink

	// Default is the default route that the uplinks share. An earlier one with another
	// table or metric stays until the new one is installed. Nil: there is no such route,
	// and an earlier one is removed.
	Default *Default

	// Reply is the policy for answers: see [Config].
	Reply *reply.Policy
}

// validate refuses uplinks that cannot be maintained on any host, or not together.
func (u *Update) validate() error {
	d := newDeclarations(len(u.Uplinks))
	for i := range u.Uplinks {
		if err := u.Uplinks[i].Validate(); err != nil {
			return err
		}
		if err := d.add(&u.Uplinks[i]); err != nil {
			return err
		}
	}
	if u.Reply != nil {
		if err := u.Reply.Validate(); err != nil {
			return err
		}
	}
	if u.Default == nil {
		return nil
	}
	shared := u.Default.withDefaults()
	return shared.validate(u.Uplinks)
}

// An identity is the label of an uplink, which is its name or its interface and
// gateway, and a family.
type identity struct {
	label  string
	family route.Family
}

// An interfaceFamily is an interface in one family.
type interfaceFamily struct {
	name   string
	family route.Family
}

// A tableFamily is a table in one family.
type tableFamily struct {
	id     rttables.ID
	family route.Family
}

// Declarations are the values that each may belong to only one uplink.
type declarations struct {
	first      *Uplink
	networks   []*Uplink         // that have networks behind this host
	names      map[identity]bool // of uplinks with a Name
	tables     map[rttables.ID]*Uplink
	inTables   map[tableFamily]bool
	interfaces map[interfaceFamily]*Uplink // of which an uplink has all addresses
	sources    map[netip.Addr]*Uplink
}

func newDeclarations(size int) *declarations {
	return &declarations{
		names: make(map[identity]bool, size), tables: make(map[rttables.ID]*Uplink, size),
		inTables:   make(map[tableFamily]bool, size),
		interfaces: make(map[interfaceFamily]*Uplink, size), sources: make(map[netip.Addr]*Uplink),
	}
}

// add refuses an uplink that conflicts with one before it.
func (d *declarations) add(u *Uplink) error {
	if err := d.addName(u); err != nil {
		return err
	}
	if err := d.addTable(u); err != nil {
		return err
	}
	if err := d.addSources(u); err != nil {
		return err
	}
	if d.first == nil {
		d.first = u
	}
	if u.Etc != d.first.Etc {
		return u.fieldError("Etc", "differs from that of uplink %s", d.first)
	}
	return nil
}

func (d *declarations) addName(u *Uplink) error {
	if u.Name == "" {
		return nil
	}
	for _, f := range u.families() {
		id := identity{u.Name, f}
		if d.names[id] {
			return u.fieldError("Name", "belongs to two uplinks of the same family")
		}
		d.names[id] = true
	}
	return nil
}

func (d *declarations) addTable(u *Uplink) error {
	if u.Table == 0 {
		return nil
	}
	if o := d.tables[u.Table]; o != nil && o.String() != u.String() {
		return u.fieldError("Table", "%d is also the table of uplink %s", uint32(u.Table), o)
	}
	d.tables[u.Table] = u
	for _, f := range u.families() {
		at := tableFamily{u.Table, f}
		if d.inTables[at] {
			return u.fieldError("Table", "%d already has an uplink of %s", uint32(u.Table), form.FamilyName(f))
		}
		d.inTables[at] = true
	}
	return nil
}

func (d *declarations) addSources(u *Uplink) error {
	for _, a := range u.Sources {
		if o := d.sources[a]; o != nil && o != u {
			return u.fieldError("Sources", "also belong to uplink %s", o)
		}
		d.sources[a] = u
	}
	if len(u.SourcePrefixes)+len(u.SourceInterfaces) > 0 {
		for _, o := range d.networks {
			if err := u.spec().CheckOverlap(o.spec()); err != nil {
				return err
			}
		}
		d.networks = append(d.networks, u)
	}
	if !u.spec().TakesAll() {
		return nil
	}
	for _, f := range u.families() {
		at := interfaceFamily{u.Interface, f}
		if o := d.interfaces[at]; o != nil {
			return u.fieldError("Sources", "also belong to uplink %s", o)
		}
		d.interfaces[at] = u
	}
	return nil
}
