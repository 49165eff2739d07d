package main

import (
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

// multihomeWord is the first word of a line about UDP servers that answer from the address
// that was asked. OpenVPN has an option of that name.
const multihomeWord = "multihome"

// parseMultihome parses such a line, which is the n-th: multihome udp PORT...
func (c *config) parseMultihome(n int, words []string) error {
	w := iptext.Split(c.position(n), strings.Join(words, " "))
	w.Take()
	proto, err := w.Arg("udp")
	if err != nil {
		return err
	}
	if proto != "udp" {
		return w.Errorf("want udp and ports: a TCP server always answers from the address that the client has connected to")
	}
	for more := true; more; more = w.More() {
		port, err := argPositive[uint16](w, "a port", 16, "want 1 to 65535")
		if err != nil {
			return err
		}
		if !slices.Contains(c.multihomed, port) {
			c.multihomed = append(c.multihomed, port)
		}
	}
	return nil
}
