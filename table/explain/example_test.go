package explain_test

import (
	"fmt"
	"log"

	"github.com/policyroute/policyroute/table/explain"
)

// A server with two routers answers from its second address by the second router.
func Example() {
	w, err := explain.Parse(`
rule add from 192.168.2.2 lookup 20 pref 1000
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
`)
	if err != nil {
		log.Fatal(err)
	}
	p, err := explain.ParsePacket("198.51.100.7 from 192.168.2.2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(explain.NewFIB(w).Explain(p))
	// Output:
	// 1000: from 192.168.2.2 lookup 20  20  default via 192.168.2.1 dev eth1
	// 198.51.100.7 from 192.168.2.2: unicast via 192.168.2.1 dev eth1
}

// Decide names the rule and the route by their places in the World.
func ExampleFIB_Decide() {
	w, err := explain.Parse(`
rule add from all to 203.0.113.0/24 prohibit pref 100
route add default via 192.168.1.1 dev eth0
address add 192.168.1.2/24 dev eth0
`)
	if err != nil {
		log.Fatal(err)
	}
	f := explain.NewFIB(w)
	for _, words := range []string{"198.51.100.7", "203.0.113.9"} {
		p, err := explain.ParsePacket(words)
		if err != nil {
			log.Fatal(err)
		}
		d := f.Decide(&p)
		fmt.Println(p, d.Verdict, d.Source, d.Error, f.World().Rules[d.Rule])
	}
	// Output:
	// 198.51.100.7 unicast 192.168.1.2  32766: from all lookup main proto kernel
	// 203.0.113.9 prohibit invalid IP EACCES 100: from all to 203.0.113.0/24 prohibit
}

// Long has all rules, and the routes that the kernel passed over.
func ExampleExplanation_Long() {
	w, err := explain.Parse(`
rule add from all fwmark 0x10 lookup 20 pref 100
route add default via 192.168.1.1 dev eth0 metric 100
route add default via 192.168.2.1 dev eth1 metric 200
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
link add eth0 down
`)
	if err != nil {
		log.Fatal(err)
	}
	p, err := explain.ParsePacket("198.51.100.7")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(explain.NewFIB(w).Explain(p).Long())
	// Output:
	// 0: from all lookup local             local  no route
	// 100: from all fwmark 0x10 lookup 20         no match: fwmark
	// 32766: from all lookup main          main   default via 192.168.2.1 dev eth1 metric 200
	//                                             passed over default via 192.168.1.1 dev eth0 metric 100: interface down
	// 198.51.100.7: unicast via 192.168.2.1 dev eth1 src 192.168.2.2
}
