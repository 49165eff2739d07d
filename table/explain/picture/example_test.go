package picture_test

import (
	"fmt"
	"log"

	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/explain/picture"
)

func Example() {
	w, err := explain.Parse(`
rule add from 192.168.2.2 lookup 20 pref 1000
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1`)
	if err != nil {
		log.Fatal(err)
	}
	p, err := explain.ParsePacket("198.51.100.7 from 192.168.2.2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(picture.Make(explain.NewFIB(w), &picture.Config{Packet: &p}))
	// Output:
	// IPv4
	// ○     0  from all ─────────▶ local                                      no route
	//          └ 127.0.0.0/8, 127.0.0.1, 192.168.1.2, 192.168.2.2 ─────────▶ this host
	// ●  1000  from 192.168.2.2 ━▶ 20
	//          └ default ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▶ 192.168.2.1 ━▶ eth1
	//   32766  from all ─────────▶ main
	//          ├ 192.168.1.0/24 ───────────────────────────────────────────▶ eth0
	//          ├ 192.168.2.0/24 ───────────────────────────────────────────▶ eth1
	//          └ default ───────────────────────────────────▶ 192.168.1.1 ─▶ eth0
	//   32767  from all ─────────▶ default
	// 198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1
}
