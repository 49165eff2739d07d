package manual

// Page8 returns the manual page uplinks(8), in the format of man(7).
func Page8() string {
	var p roffPrinter
	p.title("uplinks", 8)
	p.section(section{"NAME", []block{para("uplinks - policy routing for a host with several providers")}})
	p.section(section{"SYNOPSIS", []block{para("`uplinks` [OPTION...] COMMAND [NAME...]")}})
	p.section(section{"DESCRIPTION", description})
	p.section(section{"COMMANDS", nil})
	for i := range commands {
		c := &commands[i]
		p.subsection("`"+c.name+"` "+c.args, c.text)
		if own := c.ownOptions(); len(own) > 0 {
			p.WriteString(".PP\nOptions:\n")
			own.roff(&p)
		}
		p.WriteString(".PP\nExamples:\n")
		exampleList(c.examples).roff(&p)
	}
	p.section(section{"OPTIONS", optionBlocks()})
	for _, t := range topics {
		switch t.name {
		case "file", "examples", "options":
			continue // in uplinks.conf(5), and above
		}
		p.section(section{t.title, t.blocks()})
	}
	p.section(section{"FILES", []block{list{
		{"/etc/uplinks.conf", "The uplinks. See uplinks.conf(5)."},
		{"/etc/iproute2/rt_tables", "The names of tables."},
	}}})
	p.section(section{"SEE ALSO", []block{para("uplinks.conf(5), ip-rule(8), ip-route(8)")}})
	return p.String()
}

// Page5 returns the manual page uplinks.conf(5), in the format of man(7).
func Page5() string {
	var p roffPrinter
	p.title("uplinks.conf", 5)
	p.section(section{"NAME", []block{para("uplinks.conf - the file of uplinks(8)")}})
	p.section(section{"DESCRIPTION", fileText})
	for _, s := range fileSections() {
		p.section(s)
	}
	p.section(section{"EXAMPLES", fileExamples})
	p.section(section{"SEE ALSO", []block{para("uplinks(8), ip-rule(8), ip-route(8)")}})
	return p.String()
}

// ownOptions returns the options that not every command has.
func (c *command) ownOptions() list {
	var l list
	for _, o := range c.optionsOf() {
		if !o.common {
			l = append(l, item{o.term(), o.text})
		}
	}
	return l
}
