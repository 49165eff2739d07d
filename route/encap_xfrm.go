package route

import (
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// parseXFRM takes the number of an XFRM interface, and an interface. ip(8)
// ignores all words of the route that follow; this package reads them.
func parseXFRM(w *iptext.Words, n *Names) ([]byte, error) {
	var id, link uint32
	for {
		var err error
		switch {
		case id == 0 && w.Accept("if_id"):
			if id, err = iptext.ArgUint[uint32](w, "a number", 32); err == nil && id == 0 {
				err = w.Errorf("not a number from 1")
			}
		case w.Accept("link_dev"):
			err = iptext.ArgLink(w, n.LinkNames(), &link)
		case id == 0:
			return nil, w.Errorf("no if_id")
		default:
			b := appendU32(nil, uint16(uapi.LWT_XFRM_IF_ID), id)
			if link != 0 {
				b = appendU32(b, uint16(uapi.LWT_XFRM_LINK), link)
			}
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
