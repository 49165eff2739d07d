//go:build linux

package main

// onceChecks are the checks of uplinks.service, with the cable of the second provider out.
var onceChecks = []check{
	{name: "boot with one cable out", do: checkOnceBoot},
	{name: "restart with one cable out", do: checkOnceRestart},
	{name: "stop", do: checkOnceStop},
	{name: "wait with one cable out", do: checkOnceWait},
	{name: "reload when the cable is in", do: checkOnceReload, gap: true}, // see check.gap
}

// checkOnceBoot shows that the good uplink is installed, and that network-online.target is
// reached after the time of -wait.
func checkOnceBoot(t *tester) string {
	t.complete("lan1")
	if now := t.show("uplinks", "ActiveState")["ActiveState"]; now != "activating" {
		t.fail("while the unit waits for lan2 it is %s", now)
	}
	if now := t.show("network-online.target", "ActiveState")["ActiveState"]; now != "inactive" {
		t.fail("while the unit waits for lan2 network-online.target is %s", now)
	}
	t.contains("the status when the network was online", t.read("/run/online"), "exit 3", "lan1  inet    eth0  complete ")
	now := t.show("uplinks", "ActiveState", "SubState", "ExecMainStatus", "NRestarts")
	if now["ActiveState"] != "active" || now["SubState"] != "exited" || now["ExecMainStatus"] != "3" || now["NRestarts"] != "0" {
		t.fail("the unit is %v", now)
	}
	status := t.output("systemctl", "--no-pager", "-l", "status", "uplinks")
	t.contains("systemctl status", status, `Status: "2 of 4 uplinks complete`, "not complete: lan2 inet: pending")
	t.contains("ip rule", t.output("ip", "rule"), "lookup lan1")
	return "lan1 is complete; the unit is active, and says that 2 of 4 lines are complete"
}

func checkOnceRestart(t *tester) string {
	t.keeps(func() { t.output("systemctl", "restart", "uplinks") })
	return "nothing deleted"
}

func checkOnceStop(t *tester) string {
	t.keeps(func() {
		t.output("systemctl", "stop", "uplinks")
		if !t.isComplete("lan1") {
			t.fail("after a stop lan1 is not complete")
		}
	})
	return "nothing deleted"
}

// checkOnceWait shows what uplinks-wait says about a missing uplink.
func checkOnceWait(t *tester) string {
	t.keeps(func() {
		if _, status := t.command("systemctl", "start", "uplinks-wait"); status == 0 {
			t.fail("uplinks-wait succeeds")
		}
	})
	if now := t.show("uplinks-wait", "ActiveState", "ExecMainStatus"); now["ActiveState"] != "failed" || now["ExecMainStatus"] != "3" {
		t.fail("the unit is %v", now)
	}
	if now := t.show(unit, "ActiveState")["ActiveState"]; now != "active" {
		t.fail("uplinks-run, which it requires, is %s", now)
	}
	log := t.output("journalctl", "--no-pager", "-u", "uplinks-wait", "-o", "cat")
	t.contains("the journal", log, "not complete: lan2 inet: pending")
	t.output("systemctl", "stop", unit)
	return "uplinks-wait fails and names lan2, lan1 stays"
}

func checkOnceReload(t *tester) string {
	t.output("systemctl", "start", "uplinks") // which waits for its time
	if err := providers[1].cable("up"); err != nil {
		t.fail("%v", err)
	}
	if err := providers[1].serve(); err != nil {
		t.fail("%v", err)
	}
	t.output("systemctl", "reload", "uplinks")
	if !t.isComplete() {
		t.fail("after systemctl reload the uplinks are not complete")
	}
	status := t.output("systemctl", "--no-pager", "-l", "status", "uplinks")
	t.contains("systemctl status", status, "Active: active (exited)", `Status: "4 of 4 uplinks complete`)
	return "all 4 lines are complete"
}
