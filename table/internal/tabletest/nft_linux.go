package tabletest

import (
	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/nft"
)

// An nftConn is a connection to nf_tables of which a test handles the requests.
type nftConn struct {
	nft.Conn
	execute  func(netlink.Message) ([]netlink.Message, error) // nil: as usual
	transact func([]netlink.Message) ([]error, error)
}

// Execute carries out a request.
func (c *nftConn) Execute(m netlink.Message) ([]netlink.Message, error) {
	if c.execute != nil {
		return c.execute(m)
	}
	return c.Conn.Execute(m)
}

// Transact sends a batch.
func (c *nftConn) Transact(msgs []netlink.Message) ([]error, error) { return c.transact(msgs) }

// DialNFT returns a connection to nf_tables whose requests the Recorder notes, and can
// fail. A batch is one request, and shown by its first message.
func (r *Recorder) DialNFT() (nft.Conn, func() error, error) {
	c, err := nft.DialLike(r.Conn)
	if err != nil {
		return nil, nil, err
	}
	return &nftConn{
		Conn: c,
		execute: func(m netlink.Message) ([]netlink.Message, error) {
			if err := r.note(m); err != nil {
				return nil, err
			}
			return c.Execute(m)
		},
		transact: func(msgs []netlink.Message) ([]error, error) {
			if err := r.note(msgs[0]); err != nil {
				if r.Done {
					c.Transact(msgs)
				}
				return nil, err
			}
			return c.Transact(msgs)
		},
	}, c.Close, nil
}
