package check

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/files"
)

// A networkdState says what systemd-networkd does. When it starts and when it
// configures an interface, it deletes the rules and routes of other programs, unless
// its configuration forbids that.
type networkdState struct {
	running       bool // in the network namespace that is checked
	rules, routes bool // it deletes those of other programs
}

// networkdDirs are the directories of its configuration. A file in one of them hides
// the files with the same name in later ones.
var networkdDirs = []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"}

// readNetworkd looks for the process and reads the configuration. The process counts if
// its network namespace has this name, as readlink(1) prints it for /proc/PID/ns/net,
// or if its namespace cannot be read.
func readNetworkd(root fs.FS, namespace string) (networkdState, error) {
	s := networkdState{rules: true, routes: true}
	var err error
	if s.running, err = isNetworkdRunning(root, namespace); err != nil {
		return s, err
	}
	conf, err := networkdFiles(root)
	for _, file := range conf {
		b, e := files.ReadFS(root, file)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		s.parse(string(b))
	}
	return s, err
}

// isNetworkdRunning looks through the names of processes, which the kernel cuts off
// after 15 bytes.
func isNetworkdRunning(root fs.FS, namespace string) (bool, error) {
	const name = "systemd-network"
	processes, err := fs.Glob(root, "proc/[0-9]*/comm")
	for _, p := range processes {
		b, err := files.ReadFS(root, p)
		if err != nil || strings.TrimSpace(string(b)) != name {
			continue // the process has ended, or is another one
		}
		own, err := fs.ReadLink(root, path.Join(path.Dir(p), "ns/net"))
		if err != nil || namespace == "" || own == namespace {
			return true, nil
		}
	}
	return false, err
}

// networkdFiles returns the main file and then the drop-ins, by name.
func networkdFiles(root fs.FS) ([]string, error) {
	var conf []string
	for _, dir := range networkdDirs {
		file := path.Join(dir, "networkd.conf")
		if _, err := fs.Stat(root, file); err == nil {
			conf = append(conf, file)
			break
		}
	}
	dropIns := make(map[string]string)
	for _, dir := range slices.Backward(networkdDirs) {
		found, err := fs.Glob(root, path.Join(dir, "networkd.conf.d/*.conf"))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			dropIns[path.Base(file)] = file
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		conf = append(conf, dropIns[name])
	}
	return conf, nil
}

// parse reads one file. Of several lines with the same setting the last one counts. An
// empty setting means the default.
func (s *networkdState) parse(text string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, ok := strings.Cut(line, "=")
		if section != "[Network]" || !ok {
			continue // comments have no such key
		}
		on := true
		switch strings.ToLower(strings.TrimSpace(value)) {
		case "0", "no", "n", "false", "f", "off":
			on = false
		}
		switch strings.TrimSpace(key) {
		case "ManageForeignRoutingPolicyRules":
			s.rules = on
		case "ManageForeignRoutes":
			s.routes = on
		}
	}
}
