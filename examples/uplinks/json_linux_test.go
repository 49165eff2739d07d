package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// wantJSON runs a command with -json. It compares the text, because programs rely on the
// names of the fields.
func (h *host) wantJSON(text string, status int, args ...string) {
	h.Helper()
	stdout, _ := h.run(status, append([]string{"-json"}, args...)...)
	stdout = byteCounts.ReplaceAllString(stdout, "${1}N") // they change all the time
	if !json.Valid([]byte(strings.ReplaceAll(stdout, "N", "0"))) || stdout != strings.TrimPrefix(text, "\n") {
		h.Errorf("uplinks -json %s:\n%s\nwant%s", strings.Join(args, " "), stdout, text)
	}
}

var byteCounts = regexp.MustCompile(`("(?:received|sent)_bytes": )[0-9]+`)

func TestJSON(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1 also fwmark 2 # mail\n")
	const head = `
      "name": "lan2",
      "table": 20,
      "family": "inet",
      "dev": "eth1",
      "via": "192.168.2.1",`
	const config = `
      "config": "lan2 table 20 dev eth1 via 192.168.2.1 also fwmark 0x2",`
	const steps = `
      "steps": [
        "echo '20 lan2 # policyroute' >>ETC/rt_tables",
        "ip route add 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2",
        "ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
        "ip rule add from 192.168.2.2 lookup 20 proto 210 pref 31000",
        "ip rule add from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000",
        "ip rule add from all fwmark 0x2 lookup 20 proto 210 pref 32001"
      ]
    }
  ]
}
`
	h.wantJSON(`
{
  "command": "plan",
  "uplinks": [
    {`+head+config+steps, exitPending, "plan")
	h.wantJSON(`
{
  "command": "up",
  "uplinks": [
    {`+head+config+steps, exitOK, "up")
	h.rule("del", "from 192.168.2.2 lookup 20 proto 210 pref 31000")
	h.route("del", "192.168.2.0/24 dev eth1 table 20 proto 210")
	h.route("replace", "default via 192.168.2.9 dev eth1 table 20 proto 210")
	h.route("add", "10.9.0.0/16 via 192.168.2.9 dev eth1 table 20 proto 210")
	h.wantJSON(`
{
  "command": "status",
  "uplinks": [
    {`+head+`
      "sources": [
        "192.168.2.2"
      ],`+config+`
      "state": "incomplete",
      "missing": [
        "route 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2",
        "rule from 192.168.2.2 lookup 20 proto 210 pref 31000"
      ],
      "changed": [
        {
          "is": "route default via 192.168.2.9 dev eth1 table 20 proto 210",
          "wanted": "route default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2"
        }
      ],
      "extra": [
        "route 10.9.0.0/16 via 192.168.2.9 dev eth1 table 20 proto 210"
      ],
      "traffic": {
        "received_bytes": N,
        "sent_bytes": N
      },
      "connections": 0
    }
  ]
}
`, exitPending, "status")
	h.run(exitOK, "up")
	h.wantJSON(`
{
  "command": "down",
  "uplinks": [
    {`+head+config+`
      "steps": [
        "ip rule del from all fwmark 0x2 lookup 20 proto 210 pref 32001",
        "ip rule del from all fwmark 0x2 lookup main suppress_prefixlength 1 proto 210 pref 32000",
        "ip rule del from 192.168.2.2 lookup 20 proto 210 pref 31000",
        "ip route del default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
        "ip route del 192.168.2.0/24 dev eth1 table 20 proto 210 src 192.168.2.2",
        "sed -i '/^20[[:blank:]]lan2 # policyroute[[:space:]]*$/d' ETC/rt_tables"
      ]
    }
  ]
}
`, exitOK, "down")
}

func TestJSONFailure(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth9 via 192.168.2.1\n")
	h.wantJSON(`
{
  "command": "up",
  "uplinks": [
    {
      "name": "lan2",
      "table": 20,
      "family": "inet",
      "dev": "eth9",
      "via": "192.168.2.1",
      "config": "lan2 table 20 dev eth9 via 192.168.2.1"
    }
  ],
  "error": "uplink lan2: dev: the interface \"eth9\" does not exist; nothing was changed"
}
`, exitFailure, "up")
	h.write(h.file, "")
	h.wantJSON(`
{
  "command": "status",
  "uplinks": [],
  "warnings": [
    "FILE has no uplinks"
  ]
}
`, exitOK, "status")
}
