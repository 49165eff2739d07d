//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// configFile is the file of the uplinks. Both interfaces have a DHCP lease and a router's
// advertisement.
const configFile = "/etc/uplinks.conf"

const config = `lan1 table 10 dev eth0 learn inet unreachable
lan1 dev eth0 learn inet6 unreachable
lan2 table 20 dev eth1 learn inet unreachable
lan2 dev eth1 learn inet6 unreachable
`

// networkdFile has the settings of networkd that the repository ships.
const networkdFile = "/etc/systemd/networkd.conf.d/uplinks.conf"

// files are files of both scenarios.
var files = map[string]string{
	configFile: config,

	"/etc/hostname": "server\n",

	// The first boot is over, and what it does is done.
	"/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
	"/etc/.updated":   "",
	"/var/.updated":   "",

	"/etc/systemd/network/eth0.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n[DHCPv4]\nRouteMetric=100\n",
	"/etc/systemd/network/eth1.network": "[Match]\nName=eth1\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n[DHCPv4]\nRouteMetric=200\n",

	// The providers are there before the network is configured.
	"/etc/systemd/system/checks.service": `[Unit]
DefaultDependencies=no
After=systemd-udevd.service
Before=network-pre.target
Wants=network-pre.target
[Service]
Type=notify
ExecStart=/init checks
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
`,
	// A unit that uses the network, and says what the state of the uplinks is when it starts.
	"/etc/systemd/system/online.service": recorder("online", "Wants=network-online.target\nAfter=network-online.target\n"),
}

// serviceFiles are the files of wire.Service. The watchdog and the restart are faster than
// those of the unit, so that the test takes less time.
var serviceFiles = map[string]string{
	"/etc/systemd/system/early.service":                      recorder("early", "After=uplinks-run.service\n"),
	"/etc/systemd/system/uplinks-run.service.d/faster.conf":  "[Service]\nWatchdogSec=10\nRestartSec=1\n",
	"/etc/systemd/system/uplinks-wait.service.d/longer.conf": "[Service]\nExecStart=\nExecStart=/usr/local/sbin/uplinks run -once -wait 2m\n",
}

// onceFiles are the files of wire.Once.
var onceFiles = map[string]string{
	"/etc/systemd/system/uplinks.service.d/shorter.conf":      "[Service]\nExecStart=\nExecStart=/usr/local/sbin/uplinks run -once -wait 15s\n",
	"/etc/systemd/system/uplinks-wait.service.d/shorter.conf": "[Service]\nExecStart=\nExecStart=/usr/local/sbin/uplinks run -once -wait 5s\n",
}

// recorder returns a unit that writes the status of the uplinks to a file.
func recorder(name, order string) string {
	return fmt.Sprintf(`[Unit]
%[2]s[Service]
Type=oneshot
ExecStart=/bin/sh -c 'uplinks status >/run/%[1]s.new 2>&1; echo "exit $?" >>/run/%[1]s.new; mv /run/%[1]s.new /run/%[1]s'
[Install]
WantedBy=multi-user.target
`, name, order)
}

// install does what the comments of the units and the help tell an administrator. The units
// and the program are there already.
func install(scenario string) error {
	// Debian 13 and others have their names below /usr/share.
	if err := os.RemoveAll("/etc/iproute2"); err != nil {
		return err
	}
	units := []string{"systemd-networkd", "checks", "online"}
	more := onceFiles
	if scenario == wire.Service {
		more = serviceFiles
		units = append(units, "uplinks-run", "uplinks-wait", "early")
	} else {
		units = append(units, "uplinks")
	}
	for _, m := range []map[string]string{files, more} {
		for path, text := range m {
			if err := writeFile(path, text); err != nil {
				return err
			}
		}
	}
	return systemctl(append([]string{"enable"}, units...)...)
}

// writeFile writes a file, and makes its directory.
func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
