package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/policyroute/policyroute/table/explain"
)

// The explainOptions are the options of the commands that are about single packets.
type explainOptions struct {
	world string // the file with the state of a host; empty means this host
	batch string // the file with packets; empty means the packets of the command line
	input bool
}

func (o *explainOptions) define(fs *flag.FlagSet) {
	fs.StringVar(&o.world, "world", "", "")
	fs.StringVar(&o.batch, "batch", "", "")
	fs.BoolVar(&o.input, "input", false, "")
}

// check returns an error for options that exclude each other.
func (o *explainOptions) check(all *options) error {
	switch {
	case o.world != "" && all.netns != "":
		return errors.New("-world and -n exclude each other")
	case o.world == "-" && o.batch == "-":
		return errors.New("-world and -batch cannot both read standard input")
	case o.batch != "" && len(all.names) > 0:
		return errors.New("-batch and packets on the command line exclude each other")
	case all.command == "explain" && o.batch == "" && len(all.names) == 0:
		return errors.New("a packet is missing, such as 198.51.100.7 from 192.0.2.2")
	}
	return nil
}

// withoutPackage returns the text of an error of package explain.
func withoutPackage(err error) string { return strings.TrimPrefix(err.Error(), "explain: ") }

// parsePackets reads the packets of the command line. Each argument is a packet, or they
// are the words of one packet.
func parsePackets(args []string) ([]explain.Packet, error) {
	var all []explain.Packet
	for _, a := range args {
		p, err := explain.ParsePacket(a)
		if err != nil && len(args) > 1 {
			p, err = explain.ParsePacket(strings.Join(args, " "))
			return []explain.Packet{p}, err
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// An explainer explains packets, on a host or on the World of a file.
type explainer struct {
	fib    *explain.FIB
	kernel *kernel // nil for the World of a file
	input  bool
	long   bool
}

// explainPackets is the command explain.
func explainPackets(ctx context.Context, o options, stdout, stderr io.Writer) int {
	packets, err := parsePackets(o.names)
	if err != nil {
		fmt.Fprintln(stderr, usageError(o.command, errors.New(withoutPackage(err))))
		return exitUsage
	}
	x := explainer{input: o.explain.input, long: o.verbose}
	if file := o.explain.world; file != "" {
		w, err := readWorld(file)
		if err != nil {
			fmt.Fprintln(stderr, "uplinks:", err)
			return exitUsage
		}
		x.fib = explain.NewFIB(w)
	} else {
		w, conn, err := takeWorld(ctx, o)
		if err != nil {
			fmt.Fprintln(stderr, "uplinks:", errorText(err))
			return exitFailure
		}
		defer conn.Close()
		x.fib = explain.NewFIB(w)
		x.kernel = &kernel{ctx, conn, func() (explain.World, error) { return explain.Take(ctx, conn) }}
	}
	if o.explain.batch != "" {
		return x.batch(o.explain.batch, stdout, stderr)
	}
	return x.each(o, packets, stdout, stderr)
}

// incoming returns the packets that p stands for. With -input, a packet without an interface
// comes in by the one that has its destination or, if none has it, by each one.
func (x *explainer) incoming(p explain.Packet) ([]explain.Packet, error) {
	switch {
	case !x.input || p.IIF != "":
		return []explain.Packet{p}, nil
	case p.OIF != "":
		return nil, errors.New("-input and oif exclude each other: a packet that comes in has no socket")
	}
	w := x.fib.World()
	owners := make(map[uint32]bool)
	for _, a := range w.Addresses {
		owners[a.Index] = owners[a.Index] || a.Addr == p.To
	}
	var own, all []explain.Packet
	for _, l := range w.Links {
		if l.Flags&explain.FlagUp == 0 || l.Flags&explain.FlagLoopback != 0 {
			continue
		}
		p.IIF = l.Name
		all = append(all, p)
		if owners[l.Index] {
			own = append(own, p)
		}
	}
	switch {
	case len(own) > 0:
		return own, nil
	case len(all) > 0:
		return all, nil
	}
	return nil, errors.New("no interface is up that a packet could come in by")
}

// An explained is the JSON of the command explain.
type explained struct {
	Command      string                `json:"command"`
	Explanations []explain.Explanation `json:"explanations"`
	// Kernel has what the kernel says of each packet.
	Kernel []kernelAnswer `json:"kernel,omitempty"`
	Error  string         `json:"error,omitempty"`
}

// each explains packets, and compares the decisions with those of the kernel.
func (x *explainer) each(o options, packets []explain.Packet, stdout, stderr io.Writer) int {
	result := explained{Command: o.command, Explanations: []explain.Explanation{}}
	var text strings.Builder
	disagreements := 0
	for _, given := range packets {
		incoming, err := x.incoming(given)
		if err != nil {
			fmt.Fprintln(stderr, usageError(o.command, err))
			return exitUsage
		}
		for _, p := range incoming {
			e, answer, err := x.one(p)
			if err != nil {
				fmt.Fprintln(stderr, "uplinks:", errorText(err))
				return exitFailure
			}
			if text.Len() > 0 {
				text.WriteString("\n")
			}
			text.WriteString(x.text(&e, answer))
			result.Explanations = append(result.Explanations, e)
			if answer != nil {
				result.Kernel = append(result.Kernel, *answer)
				if !answer.Agrees && answer.Unknown == "" {
					disagreements++
				}
			}
		}
	}
	status := exitOK
	if disagreements > 0 {
		status, result.Error = exitFailure, fmt.Sprintf("the kernel disagrees about %s", plural(disagreements, "packet"))
		fmt.Fprintln(stderr, "uplinks:", result.Error)
	}
	var err error
	if o.json {
		err = writeJSON(stdout, result)
	} else {
		_, err = io.WriteString(stdout, text.String())
	}
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return status
}

// text returns an explanation and what the kernel says of it.
func (x *explainer) text(e *explain.Explanation, answer *kernelAnswer) string {
	s := e.String()
	if x.long {
		s = e.Long()
	}
	if answer != nil {
		s += answer.text() + "\n"
	}
	return s
}

// writeJSON prints an object in lines.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
