package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// oldestKernel is the oldest version of Linux that the library works with.
const oldestKernel = "4.20"

// A versionInfo has the facts about the build of this program.
type versionInfo struct {
	Version  string `json:"version"`            // of the module; (devel) for a build in a checkout
	Commit   string `json:"commit,omitempty"`   // empty if the build does not have it
	Modified bool   `json:"modified,omitempty"` // the checkout had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Kernel   string `json:"kernel"` // the oldest Linux that it works with
}

// readVersion returns the facts that the build has recorded.
func readVersion() versionInfo {
	v := versionInfo{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kernel: oldestKernel}
	if build, ok := debug.ReadBuildInfo(); ok {
		v.Version = build.Main.Version
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	v.Version = cmp.Or(v.Version, "(devel)")
	return v
}

// String returns the version in two lines.
func (v versionInfo) String() string {
	text := "uplinks " + v.Version
	if v.Commit != "" {
		text += ", commit " + v.Commit
	}
	if v.Modified {
		text += ", modified"
	}
	return fmt.Sprintf("%s\n%s, %s, for Linux %s or newer\n", text, v.Go, v.Platform, v.Kernel)
}

// printVersion prints the version.
func printVersion(o options, stdout io.Writer) int {
	v := readVersion()
	if !o.json {
		fmt.Fprint(stdout, v)
		return exitOK
	}
	enc := json.NewEncoder(stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return exitFailure
	}
	return exitOK
}
