package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions are the words before the cursor, the last of which is to be completed, and
// some of the completions. FILE is a file with the uplinks lan1 and lan2.
var completions = []struct {
	line string
	want []string
	not  []string
}{
	{"st", []string{"status"}, []string{"up", "lan1"}},
	{"", Commands(), []string{"lan1", "rp-filter"}},
	{"-f FILE up ", []string{"lan1", "lan2"}, []string{"default", "multihome", "reply", "up", "#"}},
	{"-f FILE -json status lan2", []string{"lan2"}, []string{"lan1"}},
	{"help rp", []string{"rp-filter"}, []string{"run"}},
	{"help ex", []string{"examples", "exit"}, []string{"run"}},
	{"run -", []string{"-once", "-wait", "-remove", "-v", "-json"}, []string{"-prune"}},
	{"-wait 3s run -o", []string{"-once"}, []string{"-json"}},
	{"completion ", Shells(), []string{"up"}},
	{"man ", []string{"5", "8"}, nil},
}

// shells complete a line: the first argument is the script, the others are the words.
var shells = map[string]string{
	"bash": `source "$1"; shift; COMP_WORDS=(uplinks "$@"); COMP_CWORD=$#; _uplinks; printf '%s\n' "${COMPREPLY[@]}"`,
	// Of the functions of a line editor, only those are replaced that show the words.
	"zsh": `compdef() { :; }
compadd() { local w; for w in ${(P)2}; do [[ $w == ${words[CURRENT]}* ]] && print -r -- $w; done; }
_describe() { local w; for w in ${(P)2}; do w=${w%%:*}; [[ $w == ${words[CURRENT]}* ]] && print -r -- $w; done; }
source "$1"; shift; words=(uplinks "$@"); CURRENT=$#words; _uplinks`,
	"fish": `source $argv[1]; complete -C "uplinks $argv[2..-1]" | string split -f1 \t`,
}

func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "uplinks.conf")
	text := "# up\n  lan1 dev eth0 via 192.0.2.1 # one\nlan2 dev eth1 via 192.0.2.9\nlan2 dev eth1 learn inet6\ndefault metric 9\nmultihome udp 53\nreply udp 53\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, shell := range Shells() {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Logf("not tried: there is no %s", shell)
				return
			}
			script := filepath.Join(dir, "completion."+shell)
			text, _ := Completion(shell)
			if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, c := range completions {
				words := strings.Split(strings.ReplaceAll(c.line, "FILE", file), " ")
				args := []string{"-c", shells[shell], shell, script}
				if shell == "fish" {
					args = []string{"-N", "-c", shells[shell], script}
				}
				if shell == "zsh" {
					args = append([]string{"-f"}, args...)
				}
				cmd := exec.Command(path, append(args, words...)...)
				cmd.Env = append(os.Environ(), "HOME="+dir)
				var stderr strings.Builder
				cmd.Stderr = &stderr
				out, _ := cmd.Output() // of compgen without a match it is 1
				got := strings.Fields(string(out))
				for _, w := range c.want {
					if !slices.Contains(got, w) {
						t.Errorf("%q: no %s in %q", c.line, w, got)
					}
				}
				for _, w := range c.not {
					if slices.Contains(got, w) {
						t.Errorf("%q: %s in %q", c.line, w, got)
					}
				}
				if stderr.Len() > 0 {
					t.Errorf("%q: %s", c.line, &stderr)
				}
			}
		})
	}
	if text, ok := Completion("ksh"); ok || text != "" {
		t.Errorf("ksh: %s", text)
	}
}
