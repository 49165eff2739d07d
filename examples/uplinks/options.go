package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/policyroute/policyroute/examples/uplinks/manual"
	"github.com/policyroute/policyroute/internal/iptext"
)

// The options are the parsed command line.
type options struct {
	netns   string
	file    string
	etc     string
	control string
	json    bool
	prune   bool
	adopt   bool
	once    bool
	verbose bool
	script  bool
	impact  bool
	planned bool
	github  bool
	force   bool
	// namesElsewhere means that expectations of the file may name uplinks of another file.
	namesElsewhere bool
	remove         bool
	metrics        string
	wait           time.Duration
	explain        explainOptions
	picture        pictureOptions
	// watchFor is how long tap and trace watch. Zero: until it is interrupted.
	watchFor time.Duration
	command  string
	names    []string
}

var errHelp = errors.New("help was asked for")

// parseArgs parses the command line. Options may come before and after the command.
func parseArgs(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("uplinks", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints the error
	fs.StringVar(&o.netns, "n", "", "")
	fs.StringVar(&o.file, "f", "/etc/uplinks.conf", "")
	fs.StringVar(&o.etc, "etc", "", "")
	fs.StringVar(&o.control, "control", controlDir, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.BoolVar(&o.prune, "prune", false, "")
	fs.BoolVar(&o.adopt, "adopt", false, "")
	fs.BoolVar(&o.verbose, "v", false, "")
	fs.BoolVar(&o.script, "sh", false, "")
	fs.BoolVar(&o.impact, "impact", false, "")
	fs.BoolVar(&o.planned, "planned", false, "")
	fs.BoolVar(&o.github, "github", false, "")
	fs.BoolVar(&o.force, "force", false, "")
	o.explain.define(fs)
	o.picture.define(fs)
	defineTime(fs, &o.watchFor)
	version := fs.Bool("version", false, "")
	fs.BoolVar(&o.once, "once", false, "")
	fs.BoolVar(&o.remove, "remove", false, "")
	fs.Func("metrics", "", func(s string) (err error) {
		o.metrics = s
		_, err = parseMetricsPlace(s)
		return err
	})
	o.wait = 30 * time.Second
	waits := false
	fs.Func("wait", "", func(s string) (err error) {
		waits = true
		o.wait, err = parseTime(s)
		return err
	})
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			return o, errHelp
		} else if err != nil {
			return o, err
		}
		if o.command != "" || fs.NArg() == 0 {
			break
		}
		o.command, args = fs.Arg(0), fs.Args()[1:]
	}
	o.names = fs.Args()
	switch {
	case *version:
		o.command = "version"
		return o, nil
	case o.command == "":
		return o, errors.New("a command is missing")
	case o.command == "help":
		return o, errHelp
	case !slices.Contains(manual.Commands(), o.command):
		return o, fmt.Errorf("%q is not a command%s", o.command, iptext.Suggest(o.command, manual.Commands()))
	case waits && o.command == "run" && !o.once:
		return o, errors.New("-wait needs -once")
	case o.once && o.remove:
		return o, errors.New("-once and -remove exclude each other")
	case o.once && o.metrics != "":
		return o, errors.New("-once and -metrics exclude each other")
	case o.script && (o.verbose || o.json):
		return o, errors.New("-sh excludes -v and -json")
	case o.planned && o.explain.world != "":
		return o, errors.New("-planned and -world exclude each other: the plan is made for this host")
	case o.github && o.json:
		return o, errors.New("-github and -json exclude each other")
	case o.command == "test" && len(o.names) > 1:
		return o, errors.New("test takes one file")
	case o.script && o.impact:
		return o, errors.New("-sh excludes -impact")
	case o.adopt && o.prune:
		return o, errors.New("-adopt and -prune exclude each other")
	case o.prune && len(o.names) > 0:
		return o, errors.New("-prune applies to all uplinks, so no names can follow")
	case slices.Contains([]string{"reload", "init", "snapshot", "tap", "version"}, o.command) && len(o.names) > 0:
		return o, fmt.Errorf("%s takes no names", o.command)
	}
	if err := checkOptions(fs, o.command); err != nil {
		return o, err
	}
	return o, o.explain.check(&o)
}

// checkOptions refuses options that a command does not have.
func checkOptions(fs *flag.FlagSet, command string) (err error) {
	fs.Visit(func(f *flag.Flag) {
		takers := manual.CommandsWith(f.Name)
		if !slices.Contains(commonOptions, f.Name) && !slices.Contains(takers, command) {
			err = fmt.Errorf("%s has no option -%s; it is an option of %s", command, f.Name, enumerate(takers))
		}
	})
	return err
}

// enumerate returns words as a list in a sentence.
func enumerate(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// commonOptions are accepted with every command.
var commonOptions = []string{"f", "n", "etc", "control", "json"}

// controlPlace returns where the process that maintains the uplinks answers.
func (o *options) controlPlace() controlPlace { return controlPlace{o.control, netnsPath(o.netns)} }

// requestedTopics returns the topics of the help to show. For "run -h" that is run.
func (o *options) requestedTopics() []string {
	if o.command == "help" || o.command == "" {
		return o.names
	}
	return []string{o.command}
}
