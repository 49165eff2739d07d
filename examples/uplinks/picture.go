package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/explain/picture"
)

// The pictureOptions are the forms of a picture other than lines for a terminal.
type pictureOptions struct{ dot, mermaid, svg bool }

func (o *pictureOptions) define(fs *flag.FlagSet) {
	fs.BoolVar(&o.dot, "dot", false, "")
	fs.BoolVar(&o.mermaid, "mermaid", false, "")
	fs.BoolVar(&o.svg, "svg", false, "")
}

// drawPicture is the command picture. Its arguments are the words of one packet.
func drawPicture(ctx context.Context, o options, stdout, stderr io.Writer) int {
	config, err := pictureConfig(o)
	if err != nil {
		fmt.Fprintln(stderr, usageError(o.command, err))
		return exitUsage
	}
	f, status, err := pictureFIB(ctx, o)
	if err != nil {
		fmt.Fprintln(stderr, "uplinks:", errorText(err))
		return status
	}
	if o.explain.world == "" || o.etc != "" {
		files, err := rttables.ReadFiles(o.etc)
		if err != nil {
			fmt.Fprintln(stderr, "uplinks: warning:", oneLine(err.Error()))
		}
		if files != nil {
			config.Names = files.Names()
		}
	}
	if err := writePicture(stdout, picture.Make(f, config), o.picture); err != nil {
		fmt.Fprintln(stderr, "uplinks:", err)
		return exitFailure
	}
	return exitOK
}

// pictureConfig reads the packet and the form.
func pictureConfig(o options) (*picture.Config, error) {
	n := 0
	for _, given := range []bool{o.picture.dot, o.picture.mermaid, o.picture.svg} {
		if given {
			n++
		}
	}
	switch {
	case n > 1:
		return nil, errors.New("-dot, -mermaid and -svg exclude each other")
	case o.json:
		return nil, errors.New("picture has no option -json; \"uplinks -json explain\" has the same facts")
	case len(o.names) == 0:
		return &picture.Config{}, nil
	}
	p, err := explain.ParsePacket(strings.Join(o.names, " "))
	if err != nil {
		return nil, errors.New(withoutPackage(err))
	}
	return &picture.Config{Packet: &p}, nil
}

// pictureFIB returns the host to draw, or the exit status.
func pictureFIB(ctx context.Context, o options) (*explain.FIB, int, error) {
	if file := o.explain.world; file != "" {
		w, err := readWorld(file)
		return explain.NewFIB(w), exitUsage, err
	}
	w, conn, err := takeWorld(ctx, o)
	if err != nil {
		return nil, exitFailure, err
	}
	return explain.NewFIB(w), exitFailure, conn.Close()
}

// pictureStyles are the styles of a terminal for those of a picture.
var pictureStyles = map[picture.Style]style{
	picture.Heading: bold, picture.Path: green, picture.Faint: dim, picture.Refused: red,
}

// writePicture prints a picture in its form.
func writePicture(w io.Writer, p picture.Picture, form pictureOptions) error {
	var text string
	switch {
	case form.dot:
		text = p.DOT()
	case form.mermaid:
		text = p.Mermaid()
	case form.svg:
		text = p.SVG()
	default:
		t := terminalOf(w, os.Getenv)
		var lines []line
		for _, l := range p.Lines(min(t.columns, widestPicture)) {
			var shown line
			for _, s := range l {
				shown = append(shown, span{s.Text, pictureStyles[s.Style]})
			}
			lines = append(lines, shown)
		}
		return writeLines(w, t, lines)
	}
	_, err := io.WriteString(w, text)
	return err
}

// widestPicture is how many columns of a terminal a picture uses.
const widestPicture = 120
