package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/rttables"
)

// What README.md and the README of this folder show is what the commands print. A block that
// begins with ```console has lines that begin with "$ ", each with its output below it.
// The commands are those of uplinks, and cat of the file.
func TestReadme(t *testing.T) {
	for _, name := range []string{"../../README.md", "README.md"} {
		b, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		blocks := consoleBlocks(string(b))
		if len(blocks) == 0 {
			t.Errorf("%s has no block of commands", name)
		}
		t.Run(filepath.Base(filepath.Dir(name)), func(t *testing.T) {
			h := newReadmeHost(t)
			for _, s := range blocks {
				if got, ok := h.typed(s.command); ok && got != s.output {
					t.Errorf("%s: $ %s\nprints\n%s\nand %s says\n%s", name, s.command, got, name, s.output)
				}
			}
		})
	}
}

// A shown command is a line that begins with "$ ", and what is below it.
type shownCommand struct{ command, output string }

// consoleBlocks returns the commands of all blocks.
func consoleBlocks(text string) []shownCommand {
	var all []shownCommand
	inside := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console\n"
		case !inside:
		case strings.HasPrefix(line, "$ "):
			all = append(all, shownCommand{command: strings.TrimSpace(line[2:])})
		case len(all) > 0:
			all[len(all)-1].output += line
		}
	}
	return all
}

// newReadmeHost returns the host of the README: its two gateways answer.
func newReadmeHost(t *testing.T) *host {
	h := newHost(t, "# the two providers of this host\nlan1 table 10 dev eth0 via 192.168.1.1\nlan2 table 20 dev eth1 via 192.168.2.1\n")
	h.net.Addr("g1", "192.168.1.1/24")
	h.net.Addr("g2", "192.168.2.1/24")
	// The host talks to the gateways, so that the kernel knows their hardware addresses.
	for _, a := range []string{"192.168.1.1:7", "192.168.2.1:7"} {
		l, err := h.net.Listen("tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := h.ns.Dial(t.Context(), "tcp", "", a)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	return h
}

// typed returns what a command prints. It returns false for a command that this machine
// cannot run like the host of the README.
func (h *host) typed(command string) (string, bool) {
	h.Helper()
	words := strings.Fields(strings.TrimPrefix(command, "sudo "))
	switch words[0] {
	case "cat":
		b, err := os.ReadFile(h.file)
		if err != nil {
			h.Fatal(err)
		}
		return string(b), true
	case "uplinks":
		var out strings.Builder
		args := []string{"-n", h.ns.Path(), "-f", h.file, "-control", h.control}
		if words[1] != "plan" {
			args = append(args, "-etc", h.etc)
		} else if hasOtherNames() {
			h.Logf("%q is not compared: /etc/iproute2 has other names", command)
			return "", false
		}
		run(h.Context(), append(args, words[1:]...), &out, &out)
		return strings.NewReplacer(h.file, "/etc/uplinks.conf", h.etc, "/etc/iproute2", "nsenter --net="+h.ns.Path()+" ", "").Replace(out.String()), true
	}
	h.Fatalf("nobody knows how to run %q", command)
	return "", false
}

// hasOtherNames reports whether this machine has names for the tables of the README, or its
// tables for the names. Plan shows names only without -etc, because ip(8) knows no others, and
// would show those of the machine then.
func hasOtherNames() bool {
	files, err := rttables.ReadFiles("")
	names := files.Names()
	for id, name := range map[rttables.ID]string{10: "lan1", 20: "lan2"} {
		if _, ok := names.Lookup(name); ok || names.Name(id) != id.String() {
			return true
		}
	}
	return err != nil
}
