package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/lab"
)

const (
	vpnPort  = 1194
	mailPort = 25
	webPort  = 80
	tlsPort  = 443
)

// serve starts the services of the server, which the client calls by TCP and UDP, and the services of the
// client, which the server calls.
func (n *network) serve() error {
	for _, plan := range n.plans {
		for _, s := range []struct {
			ns    *lab.NS
			ports []uint16
		}{{n.server, []uint16{vpnPort}}, {n.client, []uint16{mailPort, webPort, tlsPort}}} {
			for _, port := range s.ports {
				ln, err := s.ns.Listen(plan.tcp, fmt.Sprintf(":%d", port))
				if err != nil {
					return err
				}
				go accept(ln)
			}
		}
		udp, err := n.server.ListenPacket(strings.Replace(plan.tcp, "tcp", "udp", 1), fmt.Sprintf(":%d", vpnPort))
		if err != nil {
			return err
		}
		go echoDatagrams(udp)
	}
	return nil
}

// accept answers calls until the lab closes the listener.
func accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				io.WriteString(c, line)
			}
		}()
	}
}
