package snapshot_test

import (
	"fmt"
	"log"

	"github.com/policyroute/policyroute/table/snapshot"
)

// Two snapshots that were kept in files are compared.
func Example() {
	monday, err := snapshot.Parse(`
ip route add default via 192.168.1.1 dev eth0
ip rule add from 192.168.2.2 lookup 20 pref 31000
`)
	if err != nil {
		log.Fatal(err)
	}
	tuesday, err := snapshot.Parse(`
ip route add default via 192.168.1.254 dev eth0
ip route add default via 192.168.2.1 dev eth1 table 20
ip rule add from 192.168.2.2 lookup 20 pref 31000
`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(snapshot.Diff(monday, tuesday))
	// Output:
	// ip route replace default via 192.168.1.254 dev eth0
	// ip route add default via 192.168.2.1 dev eth1 table 20
}
