package route

import (
	"context"
	"os"

	"github.com/policyroute/policyroute/rttables"
)

// Names has the names that text uses for the numbers in messages. Both fields, and
// the *Names itself, can be nil: interfaces are then if1, if2 and so on, and only
// the tables main, local and default have names.
type Names struct {
	Files *rttables.Names // tables, protocols, scopes, realms, DS fields
	Links *Links          // interfaces
}

// FileNames returns n.Files, or nil if n is nil.
func (n *Names) FileNames() *rttables.Names {
	if n == nil {
		return nil
	}
	return n.Files
}

// LinkNames returns n.Links, or nil if n is nil.
func (n *Names) LinkNames() *Links {
	if n == nil {
		return nil
	}
	return n.Links
}

// ListNames returns the names of the interfaces of the namespace that c is in, and the
// names of tables, protocols, scopes, realms and DS fields that ip(8) has on this host. A
// missing file has no names. A damaged file has the names before the damage, as for
// ip(8). The error is that of [ListLinks].
func ListNames(ctx context.Context, c Conn) (*Names, error) {
	links, err := ListLinks(ctx, c)
	if err != nil {
		return nil, err
	}
	files, _ := rttables.Load(os.DirFS("/")) // has what ip(8) has, even with an error
	return &Names{Files: files, Links: links}, nil
}
