package lab

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// Run runs a program in the namespace with input as its standard input, and
// returns its standard output. The error has the words of the command and its standard
// error.
func (ns *NS) Run(input, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := ns.Do(cmd.Run)
	if err != nil {
		err = fmt.Errorf("%s: %s %s: %w: %s", ns, name, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), err
}
