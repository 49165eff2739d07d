package tabletest

import (
	"errors"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// ErrInjected is the error of a request that a test fails.
var ErrInjected = errors.New("injected")

// IsChange reports whether a request changes something, because it is neither an RTM_GET…
// nor an NFT_MSG_GET…. Changes of nf_tables come in batches.
func IsChange(m netlink.Message) bool {
	if m.Header.Type>>8 == uapi.NFNL_SUBSYS_NFTABLES {
		return false
	}
	return m.Header.Type == uapi.NFNL_MSG_BATCH_BEGIN || m.Header.Type&3 != 2
}

// A Recorder notes the requests that change something, and can fail them.
type Recorder struct {
	Conn   route.Conn
	Writes []netlink.HeaderType // the requests that change something
	Seen   int                  // requests of any kind
	// Fail, if set, is called with each request and its number. If it returns an
	// error, that is the answer.
	Fail func(n int, m netlink.Message) error
	Done bool                    // the kernel is asked even if the request fails
	Sent func(m netlink.Message) // if set, is called with those that change something
}

var _ route.Conn = (*Recorder)(nil)

// Execute carries out a request, or fails it.
func (r *Recorder) Execute(m netlink.Message) ([]netlink.Message, error) {
	if err := r.note(m); err != nil {
		if r.Done {
			r.Conn.Execute(m)
		}
		return nil, err
	}
	return r.Conn.Execute(m)
}

// note notes a request, and returns its error if it is to fail.
func (r *Recorder) note(m netlink.Message) error {
	r.Seen++
	if IsChange(m) {
		r.Writes = append(r.Writes, m.Header.Type)
		if r.Sent != nil {
			r.Sent(m)
		}
	}
	if r.Fail == nil {
		return nil
	}
	return r.Fail(r.Seen, m)
}

// A Watcher looks at something, such as a [Network.Matrix], after every request that
// changes something.
type Watcher struct {
	*route.Socket
	Look   func() string
	States []string // what Look returned after each request
	Names  []string // the kernel's names of the requests
}

// Execute carries out a request and looks.
func (w *Watcher) Execute(m netlink.Message) ([]netlink.Message, error) {
	reply, err := w.Socket.Execute(m)
	if IsChange(m) {
		w.States = append(w.States, w.Look())
		w.Names = append(w.Names, requestName(m))
	}
	return reply, err
}

// requestName is the kernel's name for the kind of a request that changes
// something.
func requestName(m netlink.Message) string {
	return map[netlink.HeaderType]string{
		uapi.RTM_NEWRULE: "RTM_NEWRULE", uapi.RTM_DELRULE: "RTM_DELRULE",
		uapi.RTM_NEWROUTE: "RTM_NEWROUTE", uapi.RTM_DELROUTE: "RTM_DELROUTE",
	}[m.Header.Type]
}
