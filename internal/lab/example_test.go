//go:build linux

package lab_test

import (
	"context"
	"fmt"
	"log"

	"github.com/policyroute/policyroute/internal/lab"
)

// Two namespaces, a link between them, and a tap at its far end.
func Example() {
	l := lab.New()
	defer l.Close()
	server, isp := l.NS("server"), l.NS("isp")
	server.Link("u1", isp, "g1")
	server.Addr("u1", "10.1.0.2/24")
	isp.Addr("g1", "10.1.0.1/24")
	tap := isp.Tap("g1")

	listener, err := isp.ListenPacket("udp", "10.1.0.1:53")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := server.Dial(context.Background(), "udp", "10.1.0.2:1053", listener.LocalAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		fmt.Fprint(conn, "hello")
	}
	for _, p := range tap.Packets() {
		if p.Proto == 17 {
			fmt.Println(p)
		}
	}
	if err := l.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// in  10.1.0.2:1053 > 10.1.0.1:53 udp length 33
	// in  10.1.0.2:1053 > 10.1.0.1:53 udp length 33
	// in  10.1.0.2:1053 > 10.1.0.1:53 udp length 33
}
