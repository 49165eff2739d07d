package main

import (
	"os"
	"strings"
	"testing"
)

// The options of the units that systemd.unit(5), systemd.service(5) and systemd.exec(5)
// have, each with the beginning of its value. For a misspelt option systemd only logs a
// warning, and the protection is missing.
var unitOptions = map[string]map[string]string{
	"Unit": {"Description": "", "Documentation": "https://", "After": "network-", "ConditionPathExists": "/"},
	"Service": {
		"Type": "", "ExecStart": "/", "ExecReload": "/",
		"Restart": "on-failure", "RestartSec": "5", "RestartPreventExitStatus": "2",
		"CapabilityBoundingSet": "CAP_NET_ADMIN", "RestrictAddressFamilies": "AF_NETLINK", "ReadWritePaths": "-/",
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"PrivateDevices": "yes", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
		"ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes",
		"LockPersonality": "yes", "MemoryDenyWriteExecute": "yes",
		"RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
		"SystemCallArchitectures": "native", "SystemCallFilter": "@system-service", "UMask": "0022",
	},
	"Install": {"WantedBy": "multi-user.target"},
}

// The options that only one of the units has.
var (
	onceOptions = map[string]string{
		"Wants": "network-online.target", "After": "network-online.target",
		"Type": "oneshot", "RemainAfterExit": "yes", "ExecStop": "/", "ProtectProc": "invisible",
	}
	runOptions = map[string]string{
		"Conflicts": "uplinks.service", "Type": "notify", "WatchdogSec": "60", "ProtectProc": "default",
	}
)

func TestService(t *testing.T) {
	once := readUnit(t, "uplinks.service", onceOptions)
	for key, command := range map[string]string{"ExecStart": "up", "ExecReload": "up", "ExecStop": "down"} {
		wantCommand(t, key, once[key], command)
	}
	run := readUnit(t, "uplinks-run.service", runOptions)
	wantCommand(t, "ExecStart", run["ExecStart"], "run")
	if got := run["ExecReload"]; got != "/bin/kill -HUP $MAINPID" {
		t.Errorf("ExecReload=%s", got)
	}
	if got := run["RestrictAddressFamilies"]; got != "AF_NETLINK AF_UNIX AF_INET AF_INET6" {
		t.Errorf("RestrictAddressFamilies=%s: it has to tell systemd that it is ready, and to probe", got)
	}
}

func wantCommand(t *testing.T, key, line, command string) {
	t.Helper()
	program, args, _ := strings.Cut(line, " ")
	o, err := parseArgs(strings.Fields(args))
	if err != nil || o.command != command || program != "/usr/local/sbin/uplinks" {
		t.Errorf("%s=%s: %+v, %v", key, line, o, err)
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
				t.Errorf("%s is not set", key)
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
