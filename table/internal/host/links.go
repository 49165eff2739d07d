package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/policyroute/policyroute/route"
)

// ReadLinks reads all interfaces, unless they are known.
func (s *State) ReadLinks(ctx context.Context, c route.Conn) error {
	if s.Links != nil {
		return nil
	}
	links, err := route.ListLinks(ctx, c)
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	s.Links = links
	return nil
}

// knownLinks returns the interfaces that were read one by one.
func (s *State) knownLinks() *route.Links {
	names := make(map[uint32]string)
	for _, one := range s.known {
		for index, name := range one.All() {
			names[index] = name
		}
	}
	return route.MakeLinks(names)
}

// ReadLink reads one interface, by its name or an alternative name, unless it is known.
// On a host with many interfaces that is much less than all of them.
func (s *State) ReadLink(ctx context.Context, c route.Conn, name string) error {
	if s.known[name] != nil || s.Links != nil {
		return nil
	}
	one, err := route.GetLink(ctx, c, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("table: %w", err)
	}
	if s.known == nil {
		s.known = make(map[string]*route.Links)
	}
	s.known[name] = one
	return nil
}

// Link returns the index of the interface with a name or an alternative name. Unlike
// [route.Links.Index], Link does not take if9 for the interface 9.
func (s *State) Link(name string) (index uint32, ok bool) {
	if index, ok = s.held[name]; ok {
		return index, true
	}
	return s.linksWith(name).ByName(name)
}

// HoldLink makes Link take a name for the interface with an index, although another one has
// the name for now. Rules by the name stay as they are.
func (s *State) HoldLink(name string, index uint32) {
	if s.held == nil {
		s.held = make(map[string]uint32)
	}
	s.held[name] = index
}

// LinkName returns the name of the interface with a name or an alternative name. It is
// name if there is no such interface, or if it is not known.
func (s *State) LinkName(name string) string {
	if _, ok := s.held[name]; ok {
		return name
	}
	if index, ok := s.LinkOrFormer(name); ok {
		return s.linksWith(name).Name(index)
	}
	return name
}

// KeepFormer makes LinkOrFormer and LinkName take a name that no interface has for the
// interface with an index, if that is still there. The interfaces must have been read.
func (s *State) KeepFormer(name string, index uint32) {
	if _, found := s.Link(name); found || s.Links.Name(index) == (*route.Links)(nil).Name(index) {
		return
	}
	if s.former == nil {
		s.former = make(map[string]uint32)
	}
	s.former[name] = index
}

// LinkOrFormer is Link for a name that an interface has, or had: see KeepFormer.
func (s *State) LinkOrFormer(name string) (index uint32, ok bool) {
	if index, ok = s.Link(name); !ok {
		index, ok = s.former[name]
	}
	return index, ok
}

// linksWith returns the interfaces among which one is looked up by a name.
func (s *State) linksWith(name string) *route.Links {
	if s.Links != nil {
		return s.Links
	}
	return s.known[name]
}

// ForgetLink forgets the routes of main by an interface. They are read again when they are
// needed.
func (s *State) ForgetLink(index uint32) { s.onLink.forgetLink(index) }

// ForgetLinks is ForgetLink for all interfaces.
func (s *State) ForgetLinks() { s.onLink = newSubnetTable() }
