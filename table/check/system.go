package check

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/files"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
)

// SystemFacts are what is read from files, and the sockets.
type systemFacts struct {
	conf      map[string]ipv4Conf // by interface, and "all"
	udp       []udpSocket
	ephemeral [2]uint16 // the first and the last port of sockets that ask for none
	networkd  networkdState
}

// An ipv4Conf is the settings of one interface in net.ipv4.conf.
type ipv4Conf struct{ reversePath, sourceMark int }

// readSystem reads facts that the connection does not give, and records those that it
// cannot read.
func (f *facts) readSystem(c route.Conn, root fs.FS) {
	note := func(what string, err error) {
		if err != nil {
			f.unread = append(f.unread, fmt.Sprintf("%s could not be read: %v", what, err))
		}
	}
	s := &f.system
	namespace := ""
	err := rtnl.Inside(c, func() (err error) {
		// Everything here belongs to the calling thread's namespace.
		namespace, err = os.Readlink("/proc/thread-self/ns/net")
		note("the name of the network namespace", err)
		s.conf, err = readConf(files.Dir("/proc/sys/net/ipv4"))
		note("net.ipv4.conf", err)
		s.ephemeral, err = readEphemeral(files.Dir("/proc/sys/net/ipv4"))
		note("net.ipv4.ip_local_port_range", err)
		s.udp, err = listUDP()
		note("the list of UDP sockets", err)
		return nil
	})
	note("the network namespace", err)
	s.networkd, err = readNetworkd(root, namespace)
	note("the configuration of systemd-networkd", err)
}

// readConf reads the settings of all interfaces in net.ipv4.
func readConf(ipv4 fs.FS) (map[string]ipv4Conf, error) {
	entries, err := fs.ReadDir(ipv4, "conf")
	if err != nil {
		return nil, err
	}
	all := make(map[string]ipv4Conf)
	for _, e := range entries {
		var c ipv4Conf
		for name, value := range map[string]*int{"rp_filter": &c.reversePath, "src_valid_mark": &c.sourceMark} {
			b, err := files.ReadFS(ipv4, path.Join("conf", e.Name(), name))
			if err != nil {
				return nil, err
			}
			if *value, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
				return nil, err
			}
		}
		all[e.Name()] = c
	}
	return all, nil
}

// readEphemeral reads the range of ports in net.ipv4, the first and the last.
func readEphemeral(ipv4 fs.FS) (ports [2]uint16, err error) {
	b, err := files.ReadFS(ipv4, "ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(b), &ports[0], &ports[1])
	}
	return ports, err
}
