package plan

import (
	"regexp"
	"slices"
	"strings"
)

// fieldWords are the words by which administrators know the fields of an uplink. They are
// the words of the file of the program uplinks, which are the words of ip(8) if ip(8) has
// one.
var fieldWords = map[string]string{
	"Name": "name", "Table": "table", "Interface": "dev", "Gateway": "via", "Family": "family", "OnLink": "onlink",
	"Sources": "src", "SourcePrefixes": "src", "SourceInterfaces": "src dev", "NoSources": "src none",
	"Subnets": "subnet", "Routes": "to", "Priority": "pref", "Metric": "metric", "Protocol": "proto", "Also": "also",
	"MainFirst": "main-first", "Unreachable": "unreachable", "Etc": "-etc", "Learn": "learn", "LearnTable": "learn",
	"Defaults": "learn", "Weight": "weight", "Health": "probe",
	"Masquerade": "masquerade", "UDP": "reply udp", "Remember": "remember", "Clients": "clients", "Forwarded": "reply forwarded",
	"Mark": "mark", "Mask": "mark",
}

var fieldName = func() *regexp.Regexp {
	var names []string
	for name := range fieldWords {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile(`\b(` + strings.Join(names, "|") + `)\b`)
}()

// Word returns the word of uplinks.conf for a field of an uplink, such as via for Gateway.
// If there is none, it returns the name of the field in lower case.
func Word(field string) string {
	if word, ok := fieldWords[field]; ok {
		return word
	}
	return strings.ToLower(field)
}

// InWords returns the field and the reason, with the words of uplinks.conf instead of the
// names of fields, such as "via: 192.0.2.1 is an address of this host".
func (e *FieldError) InWords() string {
	return Word(e.Field) + ": " + fieldName.ReplaceAllStringFunc(e.Reason, Word)
}

// InWords returns the reason and the object, with the words of uplinks.conf instead of the
// names of fields.
func (e *ConflictError) InWords() string {
	return fieldName.ReplaceAllStringFunc(e.Reason, Word) + ": " + e.Object
}
