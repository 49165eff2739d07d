package tabletest

import (
	"fmt"
	"log"
	"os"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
)

// Server makes a network namespace with eth1 192.168.2.2/24 for an example, and
// returns a socket in it and what is to be done at the end.
func Server() (c route.Conn, done func()) {
	l := lab.New()
	ns, router := l.NS("server"), l.NS("router")
	ns.Link("eth1", router, "eth0")
	ns.Addr("eth1", "192.168.2.2/24")
	router.Addr("eth0", "192.168.2.1/24")
	if err := l.Err(); err != nil {
		log.Fatal(err)
	}
	socket, err := route.Dial(ns.Config())
	if err != nil {
		log.Fatal(err)
	}
	return socket, func() {
		socket.Close()
		if err := l.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
