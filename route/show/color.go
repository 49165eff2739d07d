package show

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// Colors are the colors of text, for a terminal. JSON has none. The zero Colors is
// [NoColors].
type Colors uint8

// The colors that ip(8) has for addresses and interfaces, for the background of the
// terminal.
const (
	NoColors      Colors = iota
	ColorsOnDark         // -c, if the environment variable COLORFGBG says that the background is dark
	ColorsOnLight        // -c
)

var colorNames = iptext.Enum{
	{N: uint8(NoColors), Name: "none"}, {N: uint8(ColorsOnDark), Name: "dark"}, {N: uint8(ColorsOnLight), Name: "light"},
}

// String returns none, dark or light, for the background.
func (c Colors) String() string { return colorNames.Name(uint8(c)) }

// MarshalText returns what String does.
func (c Colors) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what String returns.
func (c *Colors) UnmarshalText(text []byte) error {
	return iptext.UnmarshalName(colorNames, 8, "show", "colors", text, c)
}

// A color is what selects it on a terminal (ECMA-48 SGR), without the boldness that it
// has on a dark background.
type color string

const (
	plain     color = ""
	cyan      color = "36" // interfaces
	magenta   color = "35" // IPv4 addresses
	blue      color = "34" // IPv6 addresses
	colorsEnd       = "\x1b[0m"
)

// colorOf returns the color of the addresses of a family.
func colorOf(f route.Family) color {
	switch f {
	case route.IPv4:
		return magenta
	case route.IPv6:
		return blue
	}
	return plain
}

func colorOfAddr(a netip.Addr) color { return colorOf(route.FamilyOf(a)) }

// colored returns a text in a color.
func (p *printer) colored(c color, text string) string {
	if c == plain || p.Colors == NoColors || p.IsJSON() {
		return text
	}
	code := string(c)
	if p.Colors == ColorsOnDark {
		code = "1;" + code
	}
	return "\x1b[" + code + "m" + text + colorsEnd
}

// putColored is put with a color for the value and the blank after it.
func (p *printer) putColored(c color, name, before, value string) {
	if p.IsJSON() {
		p.Str(name, "", value)
		return
	}
	p.Text(before, p.colored(c, value+" "))
}

// strColored writes a string with a color.
func (p *printer) strColored(c color, name, before, value string) {
	p.Str(name, before, p.colored(c, value))
}
