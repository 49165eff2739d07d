package manual

import (
	"fmt"
	"slices"
	"strings"
)

// Screen returns the first screen of the help: a line for each command that people often
// need, and the names of the others.
func Screen() string {
	var p textPrinter
	p.WriteString("Uplinks sends each reply through the provider that the request came from.\n")
	p.WriteString("Usage: uplinks [OPTION...] COMMAND [NAME...]\n\n")
	var others []string
	for _, c := range commands {
		if c.other {
			others = append(others, c.name)
			continue
		}
		fmt.Fprintf(&p, "    %-10s %s\n", c.name, c.summary)
	}
	p.WriteString("\nOther commands: " + strings.Join(others, ", ") + ".\nThe file is /etc/uplinks.conf; -f FILE reads another one. More: uplinks help\n")
	var names []string
	for _, t := range topics {
		names = append(names, t.name)
	}
	p.WriteString("COMMAND|" + strings.Join(names, "|") + "\n")
	return p.String()
}

// Names returns what [Topic] explains: commands, topics, and codes of check.
func Names() []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	for _, t := range topics {
		names = append(names, t.name)
	}
	for _, f := range findings {
		names = append(names, f.code)
	}
	return names
}

// Commands returns the names of all commands.
func Commands() []string {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	return names
}

// CommandsWith returns the commands that have an option.
func CommandsWith(option string) []string {
	var names []string
	for _, c := range commands {
		if slices.Contains(c.options, option) {
			names = append(names, c.name)
		}
	}
	return names
}

// Topic returns the help about a command, a topic, or a code of check. It returns false if
// there is no such help.
func Topic(name string) (string, bool) {
	var p textPrinter
	if i := slices.IndexFunc(commands, func(c command) bool { return c.name == name }); i >= 0 {
		for _, s := range commands[i].sections() {
			p.section(s)
		}
	}
	if i := slices.IndexFunc(topics, func(t topic) bool { return t.name == name }); i >= 0 {
		t := topics[i]
		p.section(section{t.title, t.blocks()})
		if name == "file" {
			for _, s := range fileSections() {
				p.section(s)
			}
		}
	}
	if i := slices.IndexFunc(findings, func(f finding) bool { return f.code == name }); i >= 0 {
		p.section(findings[i].section())
	}
	return p.String(), p.Len() > 0
}

// usage returns the command line of a command.
func (c *command) usage() string {
	words := []string{"uplinks"}
	for _, o := range c.optionsOf() {
		words = append(words, "["+o.term()+"]")
	}
	words = append(words, c.name)
	if c.args != "" {
		words = append(words, c.args)
	}
	return strings.Join(words, " ")
}

// sections returns the help about a command.
func (c *command) sections() []section {
	all := []section{{"USAGE", []block{para(c.usage())}}, {"DESCRIPTION", c.text}}
	var own list
	for _, o := range c.optionsOf() {
		own = append(own, item{o.term(), o.text})
	}
	if len(own) > 0 {
		all = append(all, section{"OPTIONS", []block{own}})
	}
	return append(all,
		section{"EXIT STATUS", []block{c.allStatuses()}},
		section{"EXAMPLES", []block{exampleList(c.examples)}},
	)
}

// allStatuses returns the exit statuses of a command.
func (c *command) allStatuses() list {
	fault := "The command line or the file has a fault."
	if !slices.Contains(c.options, "f") {
		fault = "The command line has a fault."
	}
	if c.name == "run" {
		fault = "The process crashed. A service manager should start it again."
	}
	l := list{{"0", "Success."}, {"1", "Failure. Standard error has the reason."}, {"2", fault}}
	for _, s := range c.statuses {
		i := slices.IndexFunc(l, func(usual item) bool { return usual.term == s.term })
		if i < 0 {
			l = append(l, s)
		} else {
			l[i] = s
		}
	}
	return l
}

// An exampleList is command lines, each below what it does.
type exampleList list

func (t exampleList) text(p *textPrinter, indent int) {
	for i, e := range t {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.fill(e.text, indent)
		code(e.term).text(p, indent)
	}
}

func (t exampleList) roff(p *roffPrinter) {
	for _, e := range t {
		p.WriteString(".PP\n")
		p.line(literals(e.text))
		code(e.term).roff(p)
	}
}

// fileSections returns the sections about the words of the file.
func fileSections() []section {
	var all []section
	for _, w := range words {
		all = append(all, section{w.title, []block{w.list}})
	}
	return append(all, section{"OTHER LINES", otherLines})
}

// optionBlocks describes the options that every command has.
func optionBlocks() []block {
	var l list
	for _, o := range options {
		if o.common {
			l = append(l, item{o.term(), o.text})
		}
	}
	return []block{
		para("Options can come before or after the command. Some commands have more options: see `uplinks help COMMAND`."),
		l,
	}
}
