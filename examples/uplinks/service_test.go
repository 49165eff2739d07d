package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The options that all units have, see systemd.unit(5), systemd.service(5) and
// systemd.exec(5), each with the beginning of its value. For a misspelt option systemd only
// logs a warning, and the protection is missing.
var unitOptions = map[string]map[string]string{
	"Unit": {"Description": "", "Documentation": "https://", "After": "", "Before": "network", "ConditionPathExists": "/"},
	"Service": {
		"Type": "", "ExecStart": "/", "Environment": "GOTRACEBACK=crash",
		"CapabilityBoundingSet": "CAP_NET_ADMIN", "RestrictAddressFamilies": "AF_NETLINK", "ConfigurationDirectory": "iproute2",
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"PrivateDevices": "yes", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
		"ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes",
		"LockPersonality": "yes", "MemoryDenyWriteExecute": "yes",
		"RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
		"SystemCallArchitectures": "native", "SystemCallFilter": "@system-service", "UMask": "0022",
	},
	"Install": {"WantedBy": ""},
}

// The options that only some of the units have.
var (
	onceOptions = map[string]string{
		"After": "network-pre.target", "Before": "network-online.target",
		"StartLimitIntervalSec": "300", "StartLimitBurst": "5", "WantedBy": "multi-user.target",
		"Type": "oneshot", "RemainAfterExit": "yes", "NotifyAccess": "exec", "ExecReload": "/", "ProtectProc": "invisible",
		"Restart": "on-failure", "RestartSec": "5", "SuccessExitStatus": "3", "RestartPreventExitStatus": "78",
		"RestrictAddressFamilies": "AF_NETLINK AF_UNIX",
	}
	runOptions = map[string]string{
		"After": "network-pre.target", "Before": "network.target", "Wants": "network.target",
		"Conflicts": "uplinks.service", "Type": "notify", "WatchdogSec": "60", "ExecReload": "/", "ProtectProc": "default",
		"Restart": "on-failure", "RestartSec": "5", "RestartPreventExitStatus": "78", "WantedBy": "multi-user.target",
		// The socket for status.
		"RuntimeDirectory": "uplinks", "RuntimeDirectoryMode": "0700", "RuntimeDirectoryPreserve": "yes",
		// It notifies systemd, answers status, and probes.
		"RestrictAddressFamilies": "AF_NETLINK AF_UNIX AF_INET AF_INET6",
	}
	waitOptions = map[string]string{
		"After": "uplinks-run.service", "Requires": "uplinks-run.service", "Before": "network-online.target",
		"Type": "oneshot", "RemainAfterExit": "yes", "ProtectProc": "invisible", "WantedBy": "network-online.target",
	}
)

func TestService(t *testing.T) {
	once := readUnit(t, "uplinks.service", onceOptions)
	wantCommand(t, "ExecStart", once["ExecStart"], options{command: "run", once: true, wait: time.Minute})
	wantCommand(t, "ExecReload", once["ExecReload"], options{command: "run", once: true, wait: time.Minute})
	run := readUnit(t, "uplinks-run.service", runOptions)
	wantCommand(t, "ExecStart", run["ExecStart"], options{command: "run"})
	wantCommand(t, "ExecReload", run["ExecReload"], options{command: "reload"})
	wait := readUnit(t, "uplinks-wait.service", waitOptions)
	wantCommand(t, "ExecStart", wait["ExecStart"], options{command: "run", once: true, wait: 30 * time.Second})
	for _, unit := range []map[string]string{once, run} {
		// Only a faulty file prevents a restart, and no status that a crash may have.
		if unit["RestartPreventExitStatus"] != strconv.Itoa(exitConfig) {
			t.Errorf("RestartPreventExitStatus=%s", unit["RestartPreventExitStatus"])
		}
	}
}

// The settings of systemd-networkd are those that check asks for.
func TestNetworkdSettings(t *testing.T) {
	b, err := os.ReadFile("networkd.conf.d/uplinks.conf")
	if err != nil {
		t.Fatal(err)
	}
	_, settings, _ := strings.Cut(string(b), "\n\n")
	if want := "[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n"; settings != want {
		t.Errorf("networkd.conf.d/uplinks.conf has\n%s\nwant\n%s", settings, want)
	}
}

func wantCommand(t *testing.T, key, line string, want options) {
	t.Helper()
	program, args, _ := strings.Cut(line, " ")
	o, err := parseArgs(strings.Fields(args))
	got := options{command: o.command, once: o.once}
	if o.once {
		got.wait = o.wait
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || program != "/usr/local/sbin/uplinks" {
		t.Errorf("%s=%s: %+v, %v, want %+v", key, line, o, err, want)
	}
}

// readUnit reads a unit, which must have the options of all units and those in more.
func readUnit(t *testing.T, file string, more map[string]string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := ""
	got := make(map[string]string)
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			if unitOptions[section] == nil || "["+section+"]" != line {
				t.Errorf(file+":%d: no section %s", n, line)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		begin, known := more[key]
		if !known {
			begin, known = unitOptions[section][key]
		}
		switch {
		case !ok || !known:
			t.Errorf(file+":%d: no option %q in section %s", n, line, section)
		case value == "" || !strings.HasPrefix(value, begin):
			t.Errorf(file+":%d: %s has the value %q, want %s…", n, key, value, begin)
		case got[key] != "":
			t.Errorf(file+":%d: %s twice", n, key)
		}
		got[key] = value
	}
	for _, options := range unitOptions {
		for key := range options {
			if got[key] == "" {
				t.Errorf("%s: %s is not set", file, key)
			}
		}
	}
	for key := range more {
		if got[key] == "" {
			t.Errorf("%s: %s is not set", file, key)
		}
	}
	return got
}
