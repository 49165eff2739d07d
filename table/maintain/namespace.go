package maintain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// namespaceEvery is the time between checks whether the path still names the network
// namespace of the sockets.
const namespaceEvery = 2 * time.Second

// dialIn opens a socket in the network namespace with a path, or in that of the caller.
func dialIn(path string) (route.Conn, error) {
	if path == "" {
		return route.Dial(nil)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the socket does not need the file
	return route.Dial(&netlink.Config{NetNS: int(f.Fd())})
}

// watchNamespace returns a channel that gets a value each time the path of the namespace
// has to be checked, and a function that ends this.
func (c *Config) watchNamespace() (<-chan time.Time, func()) {
	if c.NetNS == "" {
		return nil, func() {}
	}
	t := time.NewTicker(namespaceEvery)
	return t.C, t.Stop
}

// checkNamespace closes the sockets if they are in another network namespace than that of
// the path.
func (m *maintainer) checkNamespace() {
	if m.config.NetNS == "" || m.conn == nil {
		return
	}
	var err error
	switch is, statErr := rtnl.IsNetNS(m.conn, m.config.NetNS); {
	case errors.Is(statErr, fs.ErrNotExist):
		err = fmt.Errorf("the network namespace %s was deleted", m.config.NetNS)
	case is || statErr != nil: // an error of stat shows nothing
		return
	default:
		err = fmt.Errorf("the network namespace %s was deleted and made again", m.config.NetNS)
	}
	m.send(nobody.failure(EventSocketFailed, err))
	m.forgetHost(err)
	m.closeSockets()
}

// forgetHost forgets all facts about the host, and about what was installed there.
func (m *maintainer) forgetHost(why error) {
	m.stopProbers()
	for _, k := range m.uplinks {
		k.memory, k.status, k.probing, k.lacksShared = memory{}, status{}, probeState{}, false
		k.reported = m.report(lastReport{}, outcome{subject: k.subject(), waits: why.Error()})
	}
	wanted := m.shared.wanted
	m.shared = newSharedDefault()
	m.shared.wanted = wanted
	m.replies.reported, m.replies.again = lastReport{}, time.Time{}
	m.leaving, m.cleanedUp = nil, false
	m.limiter = limiter{rate: m.config.Rate, budgets: make(map[string]*budget)}
}
