package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
)

const usage = `usage: uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] plan|up|down|status|check [NAME...]
       uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] -prune plan|up
       uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] adopt|-adopt plan [NAME...]
       uplinks [-n NETNS] [-etc DIR] [-json] init
       uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json]
               [-v] [-once [-wait TIME] | -remove] run [NAME...]
       uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] recover
       uplinks [-n NETNS] [-json] reload
       uplinks [-f FILE] [-json] parse [NAME...]
       uplinks help [TOPIC]`

// helpTopics maps each topic of "uplinks help" to sections of the help.
var helpTopics = map[string][]string{
	"plan": commandSections, "up": commandSections, "down": commandSections, "status": commandSections,
	"check": commandSections, "recover": commandSections, "parse": commandSections,
	"adopt":      {"SYNOPSIS", "COMING FROM SCRIPTS", "OPTIONS", "EXIT STATUS"},
	"init":       {"SYNOPSIS", "COMING FROM SCRIPTS", "FILE"},
	"run":        {"SERVICE", "OPTIONS", "EXIT STATUS"},
	"reload":     {"SERVICE", "OPTIONS", "EXIT STATUS"},
	"service":    {"SERVICE"},
	"file":       {"FILE", "EXAMPLES"},
	"containers": {"CONTAINERS"},
	"examples":   {"EXAMPLES"},
	"options":    {"OPTIONS"},
	"exit":       {"EXIT STATUS"},
	"json":       {"JSON"},
}

var commandSections = []string{"SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"}

// showHelp prints the whole help, or the sections about topics.
func showHelp(topics []string, stdout, stderr io.Writer) int {
	if len(topics) == 0 {
		fmt.Fprint(stdout, help)
		return exitOK
	}
	var titles []string
	for _, topic := range topics {
		sections, ok := helpTopics[topic]
		if !ok {
			var names []string
			for name := range helpTopics {
				names = append(names, name)
			}
			slices.Sort(names)
			fmt.Fprintf(stderr, "uplinks: there is no help about %q, but about %s%s\n",
				topic, strings.Join(names, ", "), iptext.Suggest(topic, names))
			return exitUsage
		}
		titles = append(titles, sections...)
	}
	selected := false
	var b strings.Builder
	for line := range strings.Lines(help) {
		if line[0] != ' ' && line[0] != '\n' {
			selected = slices.Contains(titles, strings.TrimSuffix(line, "\n"))
		}
		if selected {
			b.WriteString(line)
		}
	}
	fmt.Fprint(stdout, strings.TrimSuffix(b.String(), "\n"))
	return exitOK
}
