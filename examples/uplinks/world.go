package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
)

// maxWorld is the size of the largest text of a host that is read: the routes of the whole
// Internet are a tenth of it.
const maxWorld = 1 << 30

// openInput opens a file for reading, or standard input if the name is "-".
func openInput(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(name)
}

// inputName returns the name of a file for messages.
func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// readWorld reads the text of a host from a file, as the command snapshot prints it.
func readWorld(name string) (explain.World, error) {
	f, err := openInput(name)
	if err != nil {
		return explain.World{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxWorld+1))
	switch {
	case err != nil:
		return explain.World{}, err
	case len(text) > maxWorld:
		return explain.World{}, fmt.Errorf("%s is larger than a gigabyte", inputName(name))
	}
	w, err := explain.Parse(string(text))
	if err != nil {
		return explain.World{}, errors.New(inputName(name) + ":" + strings.TrimPrefix(withoutPackage(err), "line "))
	}
	return w, nil
}

// takeWorld reads the state of the network namespace of the options. The socket stays open
// for lookups.
func takeWorld(ctx context.Context, o options) (explain.World, *route.Socket, error) {
	conn, err := dial(o.netns)
	if err != nil {
		return explain.World{}, nil, err
	}
	w, err := explain.Take(ctx, conn)
	if err != nil {
		return explain.World{}, nil, errors.Join(err, conn.Close())
	}
	return w, conn, nil
}

// snapshot prints the state of the host that decides where packets go.
func snapshot(ctx context.Context, o options, stdout, stderr io.Writer) int {
	w, conn, err := takeWorld(ctx, o)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", errorText(err))
		return exitFailure
	}
	defer conn.Close()
	if o.json {
		err = writeJSON(stdout, struct {
			Command string `json:"command"`
			World   string `json:"world"`
		}{o.command, w.String()})
	} else {
		_, err = io.WriteString(stdout, w.String())
	}
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return exitOK
}
