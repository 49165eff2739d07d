package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^uplinks \S+(, commit [0-9a-f]{40})?(, modified)?\n` +
		regexp.QuoteMeta(runtime.Version()+", "+runtime.GOOS+"/"+runtime.GOARCH) + `, for Linux 4\.20 or newer\n$`)
	for _, args := range []string{"version", "-version", "--version"} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), &stdout, &stderr); status != exitOK || !want.Match(stdout.Bytes()) || stderr.Len() > 0 {
			t.Errorf("uplinks %s: exit %d\n%s%s", args, status, &stdout, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	var v versionInfo
	status := run(t.Context(), []string{"-json", "version"}, &stdout, &stderr)
	if err := json.Unmarshal(stdout.Bytes(), &v); err != nil || status != exitOK || v.Go != runtime.Version() || v.Kernel != oldestKernel || v.Version == "" {
		t.Errorf("uplinks -json version: exit %d, %v\n%s%s", status, err, &stdout, &stderr)
	}
	full := versionInfo{Version: "v1.2.3", Commit: "abc", Modified: true, Go: "go1.25", Platform: "linux/amd64", Kernel: "4.20"}
	if got, want := full.String(), "uplinks v1.2.3, commit abc, modified\ngo1.25, linux/amd64, for Linux 4.20 or newer\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
