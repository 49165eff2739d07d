package manual

// A section is a part of the manual with a title.
type section struct {
	title  string
	blocks []block
}

// A block is a paragraph, a list or an example. In text, backquotes mark literal words.
type block interface {
	// text prints the block for a terminal, indented by some columns.
	text(p *textPrinter, indent int)
	// roff prints the block for man(7).
	roff(p *roffPrinter)
}

// A para is a paragraph.
type para string

// A list has a text for each term.
type list []item

// An item is a term of a list with its text.
type item struct{ term, text string }

// A code is lines that stay as they are: commands, output, or lines of a file.
type code string

// A command is a command of uplinks.
type command struct {
	name     string
	args     string // what follows the name on the command line
	summary  string // one line of the first screen
	text     []block
	options  []string // names of options, without those that every command has
	statuses list     // exit statuses other than the usual 0, 1 and 2
	examples list     // command lines, and what they do
	other    bool     // the first screen has the name alone
}

// An option is an option of uplinks.
type option struct {
	name, arg string // arg is empty for an option without a value
	text      string
	common    bool // every command has it, except those that do not read what it names
}

// A code of a finding, explained.
type finding struct {
	code, severity, meaning, cure string
}
