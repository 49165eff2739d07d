package main

import (
	"os"
	"strings"
	"testing"
)

// What systemd.unit(5), systemd.service(5) and systemd.exec(5) know of what the
// unit has, with how the value begins: a misspelt option is only a warning in
// the journal, and then there is no protection.
var unitOptions = map[string]map[string]string{
	"Unit": {
		"Description": "", "Documentation": "https://", "Wants": "network-online.target",
		"After": "network-online.target", "ConditionPathExists": "/",
	},
	"Service": {
		"Type": "oneshot", "RemainAfterExit": "yes", "ExecStart": "/", "ExecStop": "/", "ExecReload": "/",
		"Restart": "on-failure", "RestartSec": "5", "RestartPreventExitStatus": "2",
		"CapabilityBoundingSet": "CAP_NET_ADMIN", "RestrictAddressFamilies": "AF_NETLINK", "ReadWritePaths": "-/",
		"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
		"PrivateDevices": "yes", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
		"ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes",
		"ProtectProc": "invisible", "LockPersonality": "yes", "MemoryDenyWriteExecute": "yes",
		"RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
		"SystemCallArchitectures": "native", "SystemCallFilter": "@system-service", "UMask": "0022",
	},
	"Install": {"WantedBy": "multi-user.target"},
}

func TestService(t *testing.T) {
	b, err := os.ReadFile("uplinks.service")
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
				t.Errorf("line %d: no section %s", n, line)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		begin, known := unitOptions[section][key]
		switch {
		case !ok || !known:
			t.Errorf("line %d: no option %q in section %s", n, line, section)
		case value == "" || !strings.HasPrefix(value, begin):
			t.Errorf("line %d: %s has the value %q, want %s…", n, key, value, begin)
		case got[key] != "":
			t.Errorf("line %d: %s twice", n, key)
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
	for key, command := range map[string]string{"ExecStart": "up", "ExecReload": "up", "ExecStop": "down"} {
		program, args, _ := strings.Cut(got[key], " ")
		o, err := parseArgs(strings.Fields(args))
		if err != nil || o.command != command || program != "/usr/local/sbin/uplinks" {
			t.Errorf("%s=%s: %+v, %v", key, got[key], o, err)
		}
	}
}
