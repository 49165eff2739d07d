package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/policyroute/policyroute/examples/uplinks/manual"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "a command is missing. See uplinks help."},
		{"-json", "a command is missing. See uplinks help."},
		{"stauts", `"stauts" is not a command; did you mean status? See uplinks help.`},
		{"-x up", "flag provided but not defined: -x. See uplinks help."},
		{"-once up", "up has no option -once; it is an option of run. See uplinks help up."},
		{"-once -remove run", "-once and -remove exclude each other. See uplinks help run."},
		{"-wait 3 -once run", `invalid value "3" for flag -wait: a time needs its unit: 3s. See uplinks help.`},
		{"-once -wait x run", `invalid value "x" for flag -wait: not a time, such as 5s or 500ms. See uplinks help.`},
		{"-wait 3s up", "up has no option -wait; it is an option of run. See uplinks help up."},
		{"-wait 3s run", "-wait needs -once. See uplinks help run."},
		{"-prune down", "down has no option -prune; it is an option of plan and up. See uplinks help down."},
		{"up -prune lan1", "-prune applies to all uplinks, so no names can follow. See uplinks help up."},
		{"-adopt up", "up has no option -adopt; it is an option of plan. See uplinks help up."},
		{"-adopt -prune plan", "-adopt and -prune exclude each other. See uplinks help plan."},
		{"-sh -v plan", "-sh excludes -v and -json. See uplinks help plan."},
		{"-sh up", "up has no option -sh; it is an option of plan. See uplinks help up."},
		{"-v up", "up has no option -v; it is an option of plan, run and explain. See uplinks help up."},
		{"-prune adopt", "adopt has no option -prune; it is an option of plan and up. See uplinks help adopt."},
		{"init lan1", "init takes no names. See uplinks help init."},
		{"up -n", "flag needs an argument: -n. See uplinks help up."},
		{"reload lan1", "reload takes no names. See uplinks help reload."},
		{"completion", "a shell is needed: bash, zsh, fish. See uplinks help completion."},
		{"completion ksh", "a shell is needed: bash, zsh, fish. See uplinks help completion."},
		{"man 7", "the sections are 8 and 5. See uplinks help man."},
		{"help flie", `"flie" is not a command, a topic or a code; did you mean file? See uplinks help.`},
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), strings.Fields(c.args), &stdout, &stderr)
		want := exitUsage
		if strings.Contains(c.args, " run") { // a status that a crash does not have
			want = 78
		}
		if text := "uplinks: " + c.want + "\n"; status != want || stderr.String() != text || stdout.Len() > 0 {
			t.Errorf("uplinks %s: exit %d, %s%s\nwant %d, %s", c.args, status, &stdout, &stderr, want, text)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"help", "-h", "--help"} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), []string{arg}, &stdout, &stderr); status != exitOK || stdout.String() != manual.Screen() || stderr.Len() > 0 {
			t.Errorf("uplinks %s: exit %d, %s", arg, status, &stderr)
		}
	}
	var help, option, stderr bytes.Buffer
	status := run(t.Context(), []string{"help", "run"}, &help, &stderr)
	run(t.Context(), []string{"run", "-h"}, &option, &stderr)
	want, _ := manual.Topic("run")
	if status != exitOK || help.String() != want || option.String() != want || stderr.Len() > 0 {
		t.Errorf("uplinks help run, uplinks run -h: exit %d\n%s\n%s%s", status, &help, &option, &stderr)
	}
	// Each command of the manual is one, and each one is in the manual.
	for name := range commands {
		if !slices.Contains(manual.Commands(), name) {
			t.Errorf("the manual has no command %s", name)
		}
	}
	// The manual has every word of the file.
	file, _ := manual.Topic("file")
	for _, w := range uplinkWords {
		if !strings.Contains(file, "\n    "+w.Names[0]+" ") {
			t.Errorf("uplinks help file does not have %q", w.Names[0])
		}
	}
}

// A file of the manual pages is what the command man prints.
func TestManualPages(t *testing.T) {
	for section, file := range map[string]string{"8": "uplinks.8", "5": "uplinks.conf.5"} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), []string{"man", section}, &stdout, &stderr)
		b, err := os.ReadFile(file)
		if err != nil || status != exitOK || stdout.String() != string(b) {
			t.Errorf("%s differs from the manual (%v): go generate ./examples/uplinks writes it", file, err)
		}
	}
}

func TestArgs(t *testing.T) {
	o, err := parseArgs(strings.Fields("-n ns -f file up -etc dir -json lan1 lan2"))
	if err != nil || o.netns != "ns" || o.file != "file" || o.etc != "dir" || !o.json ||
		o.command != "up" || strings.Join(o.names, " ") != "lan1 lan2" {
		t.Errorf("%+v, %v", o, err)
	}
}

// The faults of the file are reported first, also on a system without rtnetlink.
func TestOtherSystems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uplinks.conf")
	if err := os.WriteFile(file, []byte("lan1 dve eth0"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"-f", file, "plan"}, &stdout, &stderr)
	if want := file + ":1: word 2 \"dve\": not a word of an uplink; did you mean dev?\n"; status != exitUsage || stderr.String() != want {
		t.Errorf("exit %d, %s\nwant %s", status, &stderr, want)
	}
}

func TestExplain(t *testing.T) {
	step := plan.Step{Op: plan.AddName, Uplink: "lan2", Table: 20, Name: "lan2"}
	const words = "echo '20 lan2 # policyroute' >>/etc/iproute2/rt_tables"
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("table: no luck"), "no luck"},
		{&plan.FieldError{Uplink: "lan2", Field: "Sources", Reason: "is bad"}, "uplink lan2: src: is bad; nothing was changed"},
		{&plan.FieldError{Uplink: "lan2", Field: "OnLink", Reason: "is bad"}, "uplink lan2: onlink: is bad; nothing was changed"},
		{
			&plan.ConflictError{Uplink: "lan2", Object: "default", Reason: "someone else's"},
			"uplink lan2: someone else's: default; nothing was changed",
		},
		{
			&plan.ConflictError{Uplink: "lan2", Object: "default", Reason: "in the place of one of ours; set another Metric"},
			"uplink lan2: in the place of one of ours; set another metric: default; nothing was changed",
		},
		{
			&plan.FieldError{Uplink: "lan2", Field: "SourceInterfaces", Reason: "needs Interface, or Sources"},
			"uplink lan2: src dev: needs dev, or src; nothing was changed",
		},
		{
			&plan.ConflictError{Uplink: sharedName, Object: "default", Reason: "someone else's goes before it"},
			"uplink (default): someone else's goes before it: default",
		},
		{
			&plan.StepError{Uplink: "lan2", Step: step, Err: syscall.EINVAL},
			"uplink lan2: " + words + ": invalid argument; nothing was changed",
		},
		{
			&plan.StepError{Uplink: "lan2", Step: step, Err: syscall.EINVAL, RolledBack: true},
			"uplink lan2: " + words + ": invalid argument; all changes were rolled back",
		},
		{
			&plan.StepError{Uplink: "lan2", Step: step, Err: fs.ErrPermission, RolledBack: true, Left: []plan.LeftError{{Step: step, Err: syscall.EBUSY}}},
			"uplink lan2: " + words + ": permission denied; not undone: " + words + ": device or resource busy: needs root or CAP_NET_ADMIN",
		},
		{&health.Error{Probe: "echo 192.0.2.1", Err: fs.ErrPermission}, "cannot probe: echo 192.0.2.1: permission denied"},
		{
			&plan.NameError{Table: 20, Name: "lan2", Err: &fs.PathError{Op: "mkdir", Path: "/etc/iproute2", Err: fs.ErrPermission}},
			"the name lan2 of table 20: mkdir /etc/iproute2: permission denied",
		},
		{&enterError{"/run/netns/a", fs.ErrPermission}, "network namespace /run/netns/a: permission denied: needs root or CAP_SYS_ADMIN"},
	} {
		// The text of an errno is the system's.
		want := strings.NewReplacer("invalid argument", syscall.EINVAL.Error(), "device or resource busy", syscall.EBUSY.Error(),
			"permission denied", fs.ErrPermission.Error()).Replace(c.want)
		if got := errorText(c.err); got != want {
			t.Errorf("%#v:\n got %s\nwant %s", c.err, got, want)
		}
	}
}

// Run installs the rest of an uplink that fails, so its text does not say that nothing was changed.
func TestExplainFailure(t *testing.T) {
	step := plan.Step{Op: plan.DeleteName, Table: 20, Name: "lan2"}
	for _, err := range []error{
		&plan.StepError{Uplink: "lan2", Step: step, Err: errors.New("no")},
		&plan.StepError{Uplink: "lan2", Step: step, Err: errors.New("no"), RolledBack: true},
	} {
		if got, want := explainFailure(err), strings.TrimPrefix(err.Error(), "table: "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A probe that cannot be made does not end the service, and the uplink stays healthy.
func TestProbeError(t *testing.T) {
	err := &health.Error{Probe: "echo 192.0.2.1", Err: fs.ErrPermission}
	if isForbidden(err) || !isForbidden(fs.ErrPermission) {
		t.Errorf("forbidden: %t for %v, %t for %v", isForbidden(err), err, isForbidden(fs.ErrPermission), fs.ErrPermission)
	}
	line := &lineStatus{Name: "lan2", Family: "inet", State: lineInstalled}
	r := tracker{current: maintainer{Uplinks: []*lineStatus{line}}}
	r.handle(maintain.Event{Kind: maintain.EventFailed, Uplink: "lan2", Err: err})
	if missing := r.incomplete(); len(missing) > 0 || !strings.HasPrefix(line.Health, "cannot probe") {
		t.Errorf("missing: %q, health %q", missing, line.Health)
	}
	r.handle(maintain.Event{Kind: maintain.EventFailed, Uplink: "lan2", Err: fs.ErrPermission})
	if missing := r.incomplete(); len(missing) != 1 {
		t.Errorf("missing after a failure: %q", missing)
	}
}

func TestLeft(t *testing.T) {
	step := plan.Step{Op: plan.AddName, Uplink: "lan2", Table: 20, Name: "lan2"}
	s := new(session)
	s.recordLeft(fmt.Errorf("up: %w", &plan.StepError{Step: step, Err: syscall.EINVAL, Left: []plan.LeftError{{Step: step, Err: syscall.EBUSY}}}))
	if got := strings.Join(s.report.Left, "\n"); got != step.String() {
		t.Errorf("left %q", got)
	}
}

func TestNameErrors(t *testing.T) {
	one := &plan.NameError{Table: rttables.ID(10), Name: "lan1", Err: fs.ErrNotExist}
	two := &plan.NameError{Table: rttables.ID(20), Name: "lan2", Err: fs.ErrNotExist}
	other := errors.New("other")
	names, rest := nameErrors(errors.Join(errors.Join(nil, one), two))
	if len(names) != 2 || names[0] != one || names[1] != two || rest != nil {
		t.Errorf("%v, %v", names, rest)
	}
	names, rest = nameErrors(errors.Join(one, other))
	if len(names) != 1 || !errors.Is(rest, other) {
		t.Errorf("%v, %v", names, rest)
	}
	// A failure that left a name behind is still a failure.
	failed := &plan.StepError{Err: other, Left: []plan.LeftError{{Err: one}}}
	if names, rest = nameErrors(failed); len(names) != 0 || rest != failed {
		t.Errorf("%v, %v", names, rest)
	}
	if names, rest = nameErrors(nil); len(names) != 0 || rest != nil {
		t.Errorf("%v, %v", names, rest)
	}
}
