package iptext

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// This file has the structure of JSON as ip(8) writes it. Compact JSON has no blanks.
// In pretty JSON, every member of an object is on a line of its own, indented by four
// blanks for each level, but the elements of an array are not:
//
//	[ {
//	        "priority": 0,
//	        "src": "all"
//	    },{
//	        "priority": 32766
//	    } ]
//
// For text, all of these methods do nothing.

// StartObject starts an object, which is the value of the member with a name, or, if
// the name is empty, an element of an array.
func (o *Output) StartObject(name string) {
	o.name(name)
	o.start("{")
}

// EndObject ends the object that was started last.
func (o *Output) EndObject() {
	if !o.json {
		return
	}
	o.depth--
	if o.comma {
		o.newline()
	}
	o.buf = append(o.buf, '}')
	o.comma = true
}

// StartArray starts an array, which is the value of the member with a name, or, if
// the name is empty, not a member.
func (o *Output) StartArray(name string) {
	o.name(name)
	o.start("[")
	if o.json && o.pretty {
		o.buf = append(o.buf, ' ')
	}
}

// EndArray ends the array that was started last.
func (o *Output) EndArray() {
	if !o.json {
		return
	}
	o.depth--
	if o.pretty && o.comma {
		o.buf = append(o.buf, ' ')
	}
	o.buf = append(o.buf, ']')
	o.comma = true
}

func (o *Output) start(bracket string) {
	if o.json {
		o.raw(bracket)
		o.depth++
		o.comma = false
	}
}

// name starts a member. An element of an array has no name.
func (o *Output) name(name string) {
	if !o.json || name == "" {
		return
	}
	o.separate()
	o.newline()
	o.buf = appendQuoted(o.buf, name)
	o.buf = append(o.buf, ':')
	if o.pretty {
		o.buf = append(o.buf, ' ')
	}
	o.comma = false // the value follows the name
}

// raw writes a value, or the start of one.
func (o *Output) raw(s string) {
	o.separate()
	o.buf = append(o.buf, s...)
	o.comma = true
}

// separate writes the comma between two elements or members.
func (o *Output) separate() {
	if o.comma {
		o.buf = append(o.buf, ',')
	}
}

func (o *Output) newline() {
	if o.pretty {
		o.buf = append(o.buf, '\n')
		o.buf = append(o.buf, strings.Repeat("    ", o.depth)...)
	}
}

// escaped are the characters that ip(8) escapes, and escapes are the letters that
// follow the backslash.
const (
	escaped = "\t\n\r\f\b\\\""
	escapes = `tnrfb\"`
)

// appendQuoted appends s as ip(8) writes a string. Unlike ip(8), it escapes every
// control character and replaces invalid UTF-8, which JSON does not allow.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		if i := strings.IndexRune(escaped, r); i >= 0 {
			b = append(b, '\\', escapes[i])
		} else if r < ' ' {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
