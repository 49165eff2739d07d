package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// A wire is a veth pair from the host to a router, or to the LAN.
type wire struct {
	name      string // of the interface of the host
	far       *lab.NS
	farName   string
	addrs     []string // of the host
	farAddrs  []string
	learned   netip.Addr // the gateway of the default route that a DHCP client puts into table main
	metric    uint32     // of that route
	protected []*source
	tap       *lab.Tap
	follows   bool // its uplink has the addresses of the interface
}

// A world is the host, its network, its daemon, and what was counted.
type world struct {
	opt     options
	dir     string // of this run
	etc     string // the directory of rt_tables, a small tmpfs
	file    string // of the uplinks
	lab     *lab.Lab
	host    *lab.NS
	wires   []*wire // the first has the default route of table main, and no uplink
	lan     *wire
	sources []*source
	conn    *route.Socket // of the host
	rival   *route.Socket // of the host, for the changes of another program
	traffic *traffic
	daemon  *daemon
	side    *sideWorld
	base    state
	fig     *figures
	log     *record
	rng     *rand.Rand
	wg      sync.WaitGroup // of what is in the background

	stopped  chan struct{} // ends the sampling of memory
	sampling sync.WaitGroup
}

// Where packets go. The routers drop all of it but the echo requests of probes.
const (
	target4 = "203.0.113.1"
	target6 = "2001:db8:ffff::1"
	lanHost = "10.9.0.9"
	probed1 = "198.51.100.10"
	probed2 = "198.51.100.11"
)

// The file of the uplinks. Each variant leaves out or changes something.
const (
	lineDefault = "default metric 50\n"
	lineLan1    = "lan1 table 10 dev u1 via 10.1.0.1 src 10.1.0.2 10.1.0.3 main-first unreachable weight 2" +
		" ping " + probed1 + " " + probed2 + " every 1s also fwmark 0x1\n"
	lineLan16 = "lan1 dev u1 via 2001:db8:1::1 src 2001:db8:1::2 main-first unreachable\n"
	lineLan2  = "lan2 table 20 dev u2 learn inet main-first unreachable\n"
	lineLan26 = "lan2 dev u2 via 2001:db8:2::1 main-first unreachable\n"
	lineLan3  = "lan3 table 30 dev u3 via 10.3.0.1 unreachable weight 1 also fwmark 0x3\n"

	wholeFile = lineDefault + lineLan1 + lineLan16 + lineLan2 + lineLan26 + lineLan3
)

// etcOptions are the options of the file system of rt_tables.
const etcOptions = "mode=755,size=256k"

const rtTables = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n"

func newWorld(dir, binary string, o options, log *record) (*world, error) {
	w := &world{
		opt: o, dir: dir, etc: filepath.Join(dir, "etc"), file: filepath.Join(dir, "uplinks.conf"),
		lab: lab.New(), log: log, rng: rand.New(rand.NewPCG(o.seed, 0)), stopped: make(chan struct{}),
	}
	w.fig = newFigures(o, log)
	w.daemon = newDaemon(w, binary)
	if err := w.makeFiles(); err != nil {
		return nil, err
	}
	w.makeNetwork()
	if err := w.lab.Err(); err != nil {
		return nil, errors.Join(err, w.lab.Close())
	}
	var err1, err2 error
	w.conn, err1 = route.Dial(w.host.Config())
	w.rival, err2 = route.Dial(w.host.Config())
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	for _, x := range w.wires {
		if err := w.learn(x); err != nil {
			return nil, err
		}
	}
	w.side = newSideWorld(w, binary)
	var err error
	w.traffic, err = newTraffic(w)
	return w, err
}

func (w *world) makeFiles() error {
	if err := os.Mkdir(w.etc, 0o755); err != nil {
		return err
	}
	return errors.Join(
		mountTmpfs(w.etc, etcOptions),
		os.WriteFile(filepath.Join(w.etc, "rt_tables"), []byte(rtTables), 0o644),
		w.writeFile(wholeFile),
	)
}

// writeFile replaces the file of the uplinks.
func (w *world) writeFile(text string) error {
	if err := os.WriteFile(w.file+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(w.file+".new", w.file)
}

// makeNetwork makes the namespaces and the wires.
func (w *world) makeNetwork() {
	l := w.lab
	w.host = l.NS("host")
	w.host.Sysctl("net.ipv4.ping_group_range", "0 0")
	for i := range 4 {
		far := l.NS("router" + strconv.Itoa(i))
		far.Addr("lo", probed1+"/32", probed2+"/32")
		x := &wire{
			name: fmt.Sprintf("u%d", i), far: far, farName: fmt.Sprintf("g%d", i),
			addrs:    []string{fmt.Sprintf("10.%d.0.2/24", i), canonical("2001:db8:%d::2/64", i)},
			farAddrs: []string{fmt.Sprintf("10.%d.0.1/24", i), fmt.Sprintf("2001:db8:%d::1/64", i)},
		}
		w.wires = append(w.wires, x)
	}
	w.wires[0].learned, w.wires[0].metric = netip.MustParseAddr("10.0.0.1"), 200
	w.wires[1].addrs = append(w.wires[1].addrs, "10.1.0.3/32")
	w.wires[2].learned, w.wires[2].metric = netip.MustParseAddr("10.2.0.1"), 300
	w.wires[2].follows = true
	w.wires[3].addrs, w.wires[3].farAddrs = w.wires[3].addrs[:1], w.wires[3].farAddrs[:1]
	w.wires[3].follows = true
	w.lan = &wire{
		name: "lan0", far: l.NS("lan"), farName: "l0", addrs: []string{"10.9.0.1/24"}, farAddrs: []string{lanHost + "/24"},
	}
	for _, x := range append([]*wire{w.lan}, w.wires...) {
		w.connect(x)
		x.tap = x.far.TapAll()
	}
	w.protect(1, "10.1.0.2", "10.1.0.3", "2001:db8:1::2")
	w.protect(2, "10.2.0.2", "2001:db8:2::2")
	w.protect(3, "10.3.0.2")
}

// canonical returns a prefix as the kernel shows it.
func canonical(format string, i int) string {
	return netip.MustParsePrefix(fmt.Sprintf(format, i)).String()
}

// connect makes the veth pair of a wire, with its addresses.
func (w *world) connect(x *wire) {
	w.host.Link(x.name, x.far, x.farName)
	x.far.Addr(x.farName, x.farAddrs...)
	w.host.Addr(x.name, x.addrs...)
}

// protect adds sources whose packets may only leave by a wire.
func (w *world) protect(i int, addrs ...string) {
	for _, a := range addrs {
		s := &source{addr: netip.MustParseAddr(a), wire: w.wires[i], number: len(w.sources)}
		w.sources = append(w.sources, s)
		w.wires[i].protected = append(w.wires[i].protected, s)
	}
}

// learn puts the default routes of a wire into table main, as a DHCP client does, where
// they are missing.
func (w *world) learn(x *wire) error {
	var all []route.Route
	if x.learned.IsValid() {
		all = append(all, route.Route{Gateway: x.learned, Priority: x.metric, Protocol: route.ProtoDHCP})
	}
	if x == w.wires[0] {
		all = append(all, route.Route{Gateway: netip.MustParseAddr("2001:db8::1"), Priority: x.metric, Protocol: route.ProtoRA})
	}
	for _, r := range all {
		r.OIF = w.host.Index(x.name)
		if err := w.lab.Err(); err != nil {
			return err
		}
		if err := route.Replace(context.Background(), w.rival, r); err != nil {
			return fmt.Errorf("the default route by %s: %w", x.name, err)
		}
	}
	return nil
}

// close ends everything that the world has started.
func (w *world) close() error {
	w.daemon.kill()
	w.side.close()
	w.traffic.close()
	return errors.Join(w.conn.Close(), w.rival.Close(), w.lab.Close())
}

// patience is how long the daemon may take to complete the state after a disturbance.
const patience = 60 * time.Second
