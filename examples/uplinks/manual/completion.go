package manual

import (
	"fmt"
	"strings"
)

// Shells returns the shells that [Completion] has a script for.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion returns a script that completes command lines of uplinks in a shell. It
// returns false if there is none for this shell.
func Completion(shell string) (string, bool) {
	switch shell {
	case "bash":
		return bashCompletion(), true
	case "zsh":
		return zshCompletion(), true
	case "fish":
		return fishCompletion(), true
	}
	return "", false
}

// namesInFile is an awk(1) program that prints the names of the uplinks of a file.
const namesInFile = `{ sub(/#.*/, "") } NF && $1 != "default" && $1 != "multihome" && $1 != "reply" && $1 != "expect" && !seen[$1]++ { print $1 }`

// takesNames reports whether names of uplinks follow a command.
func (c *command) takesNames() bool { return c.args == "[NAME...]" }

// choices returns the words that can follow a command, other than names of uplinks.
func (c *command) choices() []string {
	switch c.name {
	case "help":
		return Names()
	case "completion":
		return Shells()
	case "trace":
		return []string{"to", "from"}
	case "man":
		return []string{"5", "8"}
	}
	return nil
}

// shellWords joins words that need no quoting.
func shellWords(words []string) string { return strings.Join(words, " ") }

// optionWords returns options as they are typed, without values.
func optionWords(names []string) []string {
	var all []string
	for _, n := range names {
		all = append(all, "-"+n)
	}
	return all
}

// allOptions returns the names of all options.
func allOptions() []string {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	return names
}

// valueOptions returns the options with a value, except for -f, with each of the prefixes.
func valueOptions(separator string, prefixes ...string) string {
	var words []string
	for _, o := range options {
		if o.arg == "" || o.name == "f" {
			continue
		}
		for _, p := range prefixes {
			words = append(words, p+o.name)
		}
	}
	return strings.Join(words, separator)
}

// cases returns lines of a case statement of a shell. The first format is for commands with
// choices, the second for commands that names of uplinks follow.
func cases(choices, names string) string {
	var b strings.Builder
	var named []string
	for i := range commands {
		c := &commands[i]
		if words := c.choices(); len(words) > 0 {
			fmt.Fprintf(&b, choices, c.name, shellWords(words))
		}
		if c.takesNames() {
			named = append(named, c.name)
		}
	}
	fmt.Fprintf(&b, names, strings.Join(named, "|"))
	return b.String()
}

// optionCases returns lines of a case statement of a shell, one for the options of each
// command.
func optionCases(format string) string {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, format, c.name, shellWords(optionWords(c.options)))
	}
	return b.String()
}

func bashCompletion() string {
	return `# Completion of uplinks for bash.

_uplinks() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local command='' file=/etc/uplinks.conf options words='' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-f | --f) file=${COMP_WORDS[++i]} ;;
		` + valueOptions(" | ", "-", "--") + `) ((i++)) ;;
		-*) ;;
		*) [[ -n $command ]] || command=${COMP_WORDS[i]} ;;
		esac
	done
	case $prev in
	-f | --f | -world | --world | -batch | --batch)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-etc | --etc)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	-n | --n)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur")
		return
		;;
	-wait | --wait | -metrics | --metrics) return ;;
	esac
	if [[ $cur == -* ]]; then
		case $command in
` + optionCases("\t\t%s) options='%s' ;;\n") + `		*) options='` + shellWords(optionWords(allOptions())) + `' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $command in
	'') words='` + shellWords(Commands()) + `' ;;
` + cases("\t%s) words='%s' ;;\n", "\t%s) words=$(awk '"+namesInFile+"' \"$file\" 2>/dev/null) ;;\n") + `	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _uplinks uplinks
`
}

func zshCompletion() string {
	var described strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&described, "\t\t'%s:%s'\n", c.name, strings.ReplaceAll(c.summary, ":", `\:`))
	}
	return `#compdef uplinks
# Completion of uplinks for zsh.

_uplinks() {
	local cur=${words[CURRENT]} prev=${words[CURRENT-1]} command='' file=/etc/uplinks.conf i
	local -a found commands
	commands=(
` + described.String() + `	)
	for ((i = 2; i < CURRENT; i++)); do
		case ${words[i]} in
		-f | --f) file=${words[++i]} ;;
		` + valueOptions(" | ", "-", "--") + `) ((i++)) ;;
		-*) ;;
		*) [[ -n $command ]] || command=${words[i]} ;;
		esac
	done
	case $prev in
	-f | --f | -world | --world | -batch | --batch)
		_files
		return
		;;
	-etc | --etc)
		_files -/
		return
		;;
	-n | --n)
		found=(/run/netns/*(N:t))
		compadd -a found
		return
		;;
	-wait | --wait | -metrics | --metrics) return ;;
	esac
	if [[ $cur == -* ]]; then
		case $command in
` + optionCases("\t\t%s) found=(%s) ;;\n") + `		*) found=(` + shellWords(optionWords(allOptions())) + `) ;;
		esac
		compadd -a found
		return
	fi
	case $command in
	'')
		_describe command commands
		return
		;;
` + cases("\t%s) found=(%s) ;;\n", "\t%s) found=(${(f)\"$(awk '"+namesInFile+"' $file 2>/dev/null)\"}) ;;\n") + `	esac
	compadd -a found
}

if [[ $funcstack[1] == _uplinks ]]; then
	_uplinks "$@"
else
	compdef _uplinks uplinks
fi
`
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString(`# Completion of uplinks for fish.

function __uplinks_command
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -f --f ` + valueOptions(" ", "-", "--") + `
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
                return
        end
        set -e words[1]
    end
    echo ''
end

function __uplinks_names
    set -l file /etc/uplinks.conf
    set -l words (commandline -opc)
    for i in (seq (count $words))
        if contains -- $words[$i] -f --f; and test $i -lt (count $words)
            set file $words[(math $i + 1)]
        end
    end
    awk '` + namesInFile + `' $file 2>/dev/null
end

complete -c uplinks -f
`)
	for i := range commands {
		c := &commands[i]
		fmt.Fprintf(&b, "complete -c uplinks -n 'test -z (__uplinks_command)' -a %s -d '%s'\n", c.name, c.summary)
		if words := c.choices(); len(words) > 0 {
			fmt.Fprintf(&b, "complete -c uplinks -n 'test (__uplinks_command) = %s' -a '%s'\n", c.name, shellWords(words))
		}
		if c.takesNames() {
			fmt.Fprintf(&b, "complete -c uplinks -n 'test (__uplinks_command) = %s' -a '(__uplinks_names)'\n", c.name)
		}
	}
	for _, o := range options {
		args := ""
		switch o.name {
		case "f", "etc", "world", "batch":
			args = " -r -F"
		case "n":
			args = " -x -a '(ls /run/netns 2>/dev/null)'"
		case "wait", "metrics":
			args = " -x"
		}
		summary, _, _ := strings.Cut(plain(o.text), ". ")
		fmt.Fprintf(&b, "complete -c uplinks -n 'contains -- (__uplinks_command) \"\" %s' -o %s%s -d '%s'\n",
			shellWords(CommandsWith(o.name)), o.name, args, strings.ReplaceAll(strings.TrimSuffix(summary, "."), "'", `\'`))
	}
	return b.String()
}
