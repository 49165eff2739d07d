package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/examples/uplinks/manual"
	"github.com/policyroute/policyroute/internal/iptext"
)

// showHelp prints the first screen of the help, or the help about commands, topics and codes
// of check.
func showHelp(topics []string, stdout, stderr io.Writer) int {
	if len(topics) == 0 {
		fmt.Fprint(stdout, manual.Screen())
		return exitOK
	}
	var texts []string
	for _, topic := range topics {
		text, ok := manual.Topic(topic)
		if !ok {
			fmt.Fprintln(stderr, usageError("", fmt.Errorf("%q is not a command, a topic or a code%s", topic, iptext.Suggest(topic, manual.Names()))))
			return exitUsage
		}
		texts = append(texts, text)
	}
	fmt.Fprint(stdout, strings.Join(texts, "\n"))
	return exitOK
}

// usageError returns the line for a fault of the command line, and the command that helps.
func usageError(command string, err error) string {
	topic := ""
	if slices.Contains(manual.Commands(), command) {
		topic = " " + command
	}
	text := err.Error()
	if !strings.HasSuffix(text, "?") {
		text += "."
	}
	return fmt.Sprintf("uplinks: %s See uplinks help%s.", text, topic)
}

// printCompletion prints the completion script for a shell.
func printCompletion(args []string, stdout, stderr io.Writer) int {
	shell := ""
	if len(args) == 1 {
		shell = args[0]
	}
	script, ok := manual.Completion(shell)
	if !ok {
		fmt.Fprintln(stderr, usageError("completion", errors.New("a shell is needed: "+strings.Join(manual.Shells(), ", "))))
		return exitUsage
	}
	fmt.Fprint(stdout, script)
	return exitOK
}

// printPage prints a manual page.
func printPage(args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 0, len(args) == 1 && args[0] == "8":
		fmt.Fprint(stdout, manual.Page8())
	case len(args) == 1 && args[0] == "5":
		fmt.Fprint(stdout, manual.Page5())
	default:
		fmt.Fprintln(stderr, usageError("man", errors.New("the sections are 8 and 5")))
		return exitUsage
	}
	return exitOK
}
