//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const unit = "uplinks-run"

// serviceChecks are the checks of uplinks-run.service.
var serviceChecks = []check{
	{name: "boot", do: checkBoot, alone: true},
	{name: "units", do: checkUnits, alone: true},
	{name: "names", do: checkNames, alone: true},
	{name: "traffic", do: func(*tester) string { return "a flood from each address, and 4 connections" }},
	{name: "watchdog", do: checkWatchdog},
	{name: "SIGABRT", do: crash(unix.SIGABRT)},
	{name: "SIGSEGV", do: crash(unix.SIGSEGV)},
	{name: "SIGKILL", do: crash(unix.SIGKILL)},
	{name: "exit status 2", do: checkStatus2},
	{name: "faulty file at the start", do: checkFaultyStart},
	{name: "faulty file at a reload", do: checkFaultyReload},
	{name: "reload is done when it returns", do: checkReload},
	{name: "stop, start and restart", do: checkRestart},
	{name: "cable out and in", do: checkCable, gap: true}, // networkd takes the address away, and brings it back
	{name: "networkd restarts", do: checkNetworkd},
	{name: "networkd restarts, without ManageForeignRoutes=no", do: networkdDeletes(
		"[Network]\nManageForeignRoutingPolicyRules=no\n"), gap: true},
	{name: "networkd restarts, without the settings", do: networkdDeletes(""), gap: true},
}

// checkBoot shows that uplinks-run is ready while an uplink is pending, and that
// network-online.target waits for uplinks-wait.
func checkBoot(t *tester) string {
	early := t.read("/run/early")
	t.contains("the status when uplinks-run was ready", early, "exit 3", "monitored by process")
	t.complete("lan1")
	wait := t.show("uplinks-wait", "ActiveState")["ActiveState"]
	online := t.show("network-online.target", "ActiveState")["ActiveState"]
	if wait != "activating" || online != "inactive" {
		t.fail("while lan2 has no lease uplinks-wait is %s and network-online.target %s", wait, online)
	}
	if _, err := os.Stat("/run/online"); err == nil {
		t.fail("a unit after network-online.target has started while lan2 has no lease")
	}
	if err := providers[1].serve(); err != nil {
		t.fail("%v", err)
	}
	t.contains("the status when the network was online", t.read("/run/online"), "exit 0")
	waited := t.show("uplinks-wait", "ActiveState", "ActiveEnterTimestampMonotonic")
	reached := t.show("network-online.target", "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]
	if waited["ActiveState"] != "active" || number(waited["ActiveEnterTimestampMonotonic"]) > number(reached) {
		t.fail("uplinks-wait is %v, network-online.target was reached at %s", waited, reached)
	}
	return "ready while lan2 is pending; network-online.target and a unit after it wait until all 4 lines are complete"
}

func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64) // 0 fails the check
	return n
}

// checkUnits shows that systemd understands every line of the units.
func checkUnits(t *tester) string {
	out, _ := t.command("systemd-analyze", "--man=no", "verify", "/etc/systemd/system/uplinks-run.service",
		"/etc/systemd/system/uplinks-wait.service", "/etc/systemd/system/uplinks.service")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "uplinks") {
			t.fail("%s", line)
		}
	}
	for _, name := range []string{unit, "uplinks-wait"} {
		if now := t.show(name, "NeedDaemonReload", "LoadError", "LoadState"); now["LoadState"] != "loaded" {
			t.fail("%s: %v", name, now)
		}
	}
	return "systemd-analyze verify has nothing to say"
}

// checkNames shows that names are written to a host without /etc/iproute2.
func checkNames(t *tester) string {
	rules := t.output("ip", "rule")
	t.contains("ip rule", rules, "lookup lan1", "lookup lan2")
	out := t.output("sh", "-c", "ls -d /etc/iproute2/rt_tables /etc/iproute2/rt_tables.d/* 2>/dev/null || true")
	return "ip prints lookup lan1, from " + strings.Join(strings.Fields(out), " ")
}

// checkWatchdog stops the process, so that it sends no sign of life.
func checkWatchdog(t *tester) string {
	text := crash(unix.SIGSTOP)(t)
	t.journal("Watchdog timeout")
	return text
}

// crash returns a check that sends a signal to the process, after which systemd starts it
// again and the uplinks stay.
func crash(s unix.Signal) func(*tester) string {
	return func(t *tester) string {
		before := t.show(unit, "MainPID", "NRestarts")
		pid := int(number(before["MainPID"]))
		t.keeps(func() {
			if err := unix.Kill(pid, s); err != nil {
				t.fail("kill %d: %v", pid, err)
			}
			var now map[string]string
			t.until("a restart", func() bool {
				now = t.show(unit, "MainPID", "NRestarts", "ActiveState", "SubState")
				return now["SubState"] == "running" && now["MainPID"] != before["MainPID"]
			})
			if number(now["NRestarts"]) != number(before["NRestarts"])+1 {
				t.fail("NRestarts was %s and is %s", before["NRestarts"], now["NRestarts"])
			}
			t.complete()
		})
		return fmt.Sprintf("NRestarts %d, nothing deleted", number(before["NRestarts"])+1)
	}
}

// checkStatus2 shows that the exit status of a crash in Go leads to a restart.
func checkStatus2(t *tester) string {
	const drop = "/run/systemd/system/uplinks-run.service.d/zz.conf"
	t.write(drop, "[Service]\nEnvironment=GOTRACEBACK=single\n")
	t.output("systemctl", "daemon-reload")
	t.output("systemctl", "restart", unit)
	text := crash(unix.SIGQUIT)(t)
	t.journal("status=2/INVALIDARGUMENT")
	if err := os.Remove(drop); err != nil {
		t.fail("%v", err)
	}
	t.output("systemctl", "daemon-reload")
	t.output("systemctl", "restart", unit)
	return text
}

// The faulty line of a file.
const (
	faultyLine = "lan3 dve eth2\n"
	fault      = `/etc/uplinks.conf:5: word 2 "dve"`
)

// checkFaultyStart shows that a faulty file does not lead to restarts, and takes nothing away.
func checkFaultyStart(t *tester) string {
	t.keeps(func() {
		t.write(configFile, config+faultyLine)
		if out, status := t.command("uplinks", "parse"); status != 2 || !strings.Contains(out, fault) {
			t.fail("uplinks parse: exit %d, %s", status, out)
		}
		if _, status := t.command("systemctl", "restart", unit); status == 0 {
			t.fail("systemctl restart succeeds with a faulty file")
		}
		time.Sleep(4 * time.Second) // RestartSec is 1
		now := t.show(unit, "ActiveState", "NRestarts", "ExecMainStatus", "Result")
		if now["ActiveState"] != "failed" || now["NRestarts"] != "0" || now["ExecMainStatus"] != "78" {
			t.fail("the unit is %v", now)
		}
		status, _ := t.command("systemctl", "--no-pager", "-l", "status", unit)
		t.contains("systemctl status", status, fault, "status=78")
		t.write(configFile, config)
		t.output("systemctl", "start", unit)
		t.complete()
	})
	return "exit status 78, NRestarts 0, nothing deleted"
}

// checkFaultyReload shows that systemctl and status say the faulty line, and that the process
// goes on.
func checkFaultyReload(t *tester) string {
	pid := t.show(unit, "MainPID")["MainPID"]
	t.keeps(func() {
		t.write(configFile, config+faultyLine)
		if _, status := t.command("systemctl", "reload", unit); status == 0 {
			t.fail("systemctl reload succeeds with a faulty file")
		}
		status := t.output("systemctl", "--no-pager", "-l", "status", unit)
		t.contains("systemctl status", status, "Active: active (running)", `Status: "NOT RELOADED`, fault, "4 of 4 uplinks complete")
		out, exit := t.command("uplinks", "status")
		if exit != 2 {
			t.fail("uplinks status: exit %d, %s", exit, out)
		}
		t.contains("uplinks status", out, fault, "lan2  inet6   eth1", "complete", "monitored by process "+pid, "the last reload was refused")
		t.write(configFile, config)
		t.output("systemctl", "reload", unit)
		status = t.output("systemctl", "--no-pager", "-l", "status", unit)
		if strings.Contains(status, "NOT RELOADED") {
			t.fail("after a good file: %s", status)
		}
		if now := t.show(unit, "MainPID")["MainPID"]; now != pid {
			t.fail("the process was %s and is %s", pid, now)
		}
	})
	return "systemctl reload fails, systemctl status and uplinks status have the line, the process goes on"
}

// checkReload shows that the routes are there when systemctl reload returns.
func checkReload(t *tester) string {
	const times = 6
	for n := range times {
		metric := strconv.Itoa(7 + n)
		t.write(configFile, strings.ReplaceAll(config, "eth1", "eth1 metric "+metric))
		t.output("systemctl", "reload", unit)
		for _, family := range []string{"-4", "-6"} {
			out := t.output("ip", family, "route", "show", "table", "20", "default")
			t.contains("table 20", out, "metric "+metric)
		}
		if now := t.show(unit, "SubState")["SubState"]; now != "running" {
			t.fail("after systemctl reload the state is %s", now)
		}
	}
	t.write(configFile, config)
	t.output("systemctl", "reload", unit)
	if !t.isComplete() {
		t.fail("after systemctl reload the uplinks are not complete")
	}
	return fmt.Sprintf("%d of %d times", times, times)
}

// checkRestart shows that the uplinks stay when the service does not.
func checkRestart(t *tester) string {
	t.keeps(func() {
		t.output("systemctl", "stop", unit)
		if !t.isComplete() {
			t.fail("after a stop the uplinks are not complete")
		}
		t.output("systemctl", "start", unit)
		t.output("systemctl", "restart", unit)
		t.complete()
	})
	return "nothing deleted"
}

// checkCable pulls the cable of the second provider, and plugs it in again.
func checkCable(t *tester) string {
	if err := providers[1].cable("down"); err != nil {
		t.fail("%v", err)
	}
	t.until("a pending uplink", func() bool {
		out, _ := t.command("uplinks", "status")
		return strings.Contains(out, "    waits: ")
	})
	t.complete("lan1")
	if err := providers[1].cable("up"); err != nil {
		t.fail("%v", err)
	}
	t.complete()
	return "lan2 was pending, and is complete again"
}

// restartNetworkd restarts networkd, and waits until both leases are there again.
func (t *tester) restartNetworkd() {
	t.output("systemctl", "restart", "systemd-networkd")
	time.Sleep(5 * time.Second) // it says no more when it has configured an interface
	t.complete()
}

// checkNetworkd shows that networkd leaves rules and routes alone with the settings that are
// shipped. Before systemd 257 it takes the addresses away, and the uplinks follow them.
func checkNetworkd(t *tester) string {
	before := t.installed()
	deleted, addresses := t.deletions(t.restartNetworkd)
	switch {
	case len(addresses) > 0:
		t.gap = true
		return fmt.Sprintf("networkd itself took %d addresses away, and the uplinks followed them", len(addresses))
	case len(deleted) > 0:
		t.fail("%d rules or routes were deleted: %s", len(deleted), strings.Join(deleted, "; "))
	}
	t.same(before)
	return "nothing deleted"
}

// networkdDeletes returns a check that networkd deletes with other settings, and that the
// uplinks come back.
func networkdDeletes(settings string) func(*tester) string {
	return func(t *tester) string {
		shipped, err := os.ReadFile(networkdFile)
		if err != nil {
			t.fail("%v", err)
		}
		defer t.write(networkdFile, string(shipped))
		t.write(networkdFile, settings)
		deleted, addresses := t.deletions(t.restartNetworkd)
		if len(deleted) == 0 {
			t.fail("networkd deletes nothing: the settings are not needed")
		}
		rules := 0
		for _, line := range deleted {
			if strings.Contains(line, "from ") {
				rules++
			}
		}
		text := fmt.Sprintf("%d rules and %d routes deleted, all restored", rules, len(deleted)-rules)
		if len(addresses) > 0 {
			text += fmt.Sprintf("; also %d addresses", len(addresses))
		}
		return text
	}
}
