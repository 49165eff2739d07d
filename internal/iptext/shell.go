package iptext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/uapi"
)

// Command returns the shell command "ip object verb args". Args are words of
// ip(8) with blanks between them; each is quoted if a shell needs it, because an
// interface may be called a;id>x. The option for a family comes before the object,
// where ip(8) takes it. A command has the option for each family other than IPv4. It
// has the option for IPv4 if args begin with it, which says that ip(8) would take the
// words for those of another family.
func Command[F ~uint8](family F, object, verb, args string) string {
	words := Fields(args)
	option := FamilyOption(family)
	begins := len(words) >= len(option) && slices.Equal(words[:len(option)], option)
	if begins {
		words = words[len(option):]
	}
	command := []string{"ip"}
	if begins || family != uapi.AF_UNSPEC && family != uapi.AF_INET {
		command = append(command, option...)
	}
	command = append(command, object, verb)
	for _, w := range words {
		command = append(command, Quote(w))
	}
	return strings.Join(command, " ")
}

// InNetNS returns a command of ip(8), as Command returns it, or one of nft(8), for a network
// namespace: a name that "ip netns" gave, or a path. It returns other commands as they are.
func InNetNS(netns, command string) string {
	words, isIP := strings.CutPrefix(command, "ip ")
	isNFT := strings.HasPrefix(command, "nft ")
	switch {
	case netns == "" || !isIP && !isNFT:
		return command
	case strings.Contains(netns, "/"): // which ip -n does not take
		return "nsenter " + Quote("--net="+netns) + " " + command
	case isNFT:
		return "ip netns exec " + Quote(netns) + " " + command
	}
	return "ip -n " + Quote(netns) + " " + words
}

// AppendLine returns the shell command that appends a line to a file.
func AppendLine(line, file string) string {
	if strings.Contains(line, `\`) { // which echo may interpret
		return fmt.Sprintf(`printf '%%s\n' %s >>%s`, Quote(line), Quote(file))
	}
	return fmt.Sprintf("echo %s >>%s", Quote(line), Quote(file))
}

// DeleteLine returns the shell command that deletes the lines of a file that consist of
// some words, each pair with one blank or tab between them.
func DeleteLine(file string, words ...string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString("[[:blank:]]")
		}
		b.WriteString(patterns.Replace(w))
	}
	return fmt.Sprintf("sed -i %s %s", Quote("/^"+b.String()+"[[:space:]]*$/d"), Quote(file))
}

// patterns escapes what is special in a regular expression of sed(1).
var patterns = strings.NewReplacer(
	`\`, `\\`, `/`, `\/`, `.`, `\.`, `[`, `\[`, `*`, `\*`, `^`, `\^`, `$`, `\$`)

// plainBytes are those that a shell leaves as they are.
const plainBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+="

// Quote returns the word of a shell that stands for s: s itself if it can. What a terminal
// does not show as itself, such as an escape in the name of an interface, is written in
// octal, so that the word is harmless where it is printed.
func Quote(s string) string {
	switch {
	case s != "" && strings.Trim(s, plainBytes) == "":
		return s
	case Printable(s) == s || strings.HasSuffix(s, "\n"): // $( ) drops line breaks at its end
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString(octalBegin)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'':
			b.WriteString(`'\''`)
		case c == '%':
			b.WriteString("%%")
		case c < ' ', c >= 0x7f, c == '\\', c == '-' && i == 0: // with - an option would begin
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(octalEnd)
	return b.String()
}

// octalBegin and octalEnd are around the octal form of Quote, which every shell of POSIX
// knows, unlike $'\033'.
const (
	octalBegin = `"$(printf '`
	octalEnd   = `')"`
)

// cutOctal returns what stands for itself at the beginning of a line in the octal form of
// Quote, and the number of bytes that it takes there.
func cutOctal(line string) (text string, n int, ok bool) {
	rest, ok := strings.CutPrefix(line, octalBegin)
	if !ok {
		return "", 0, false
	}
	var b []byte
	for rest != "" {
		var c byte
		size := 1
		switch c = rest[0]; {
		case strings.HasPrefix(rest, octalEnd):
			return string(b), len(line) - len(rest) + len(octalEnd), true
		case strings.HasPrefix(rest, `'\''`):
			size = 4
		case strings.HasPrefix(rest, "%%"):
			size = 2
		case c == '\\' && len(rest) >= 4:
			v, err := strconv.ParseUint(rest[1:4], 8, 8)
			if err != nil {
				return "", 0, false
			}
			c, size = byte(v), 4
		case c == '\'' || c == '%' || c == '\\':
			return "", 0, false
		}
		b, rest = append(b, c), rest[size:]
	}
	return "", 0, false
}

// SplitCommand splits a line into words as a shell does. It knows blanks, single quotes,
// backslashes and the octal form of [Quote], which is all that Quote needs.
func SplitCommand(line string) (words []string, err error) {
	var word []byte // grows in place: a line can be a single word of megabytes
	open, quoted := false, false
	for i := 0; i < len(line); i++ {
		if text, n, ok := cutOctal(line[i:]); ok && !quoted {
			word, open = append(word, text...), true
			i += n - 1
			continue
		}
		switch b := line[i]; {
		case b == '\'':
			open, quoted = true, !quoted
		case quoted:
			word = append(word, b)
		case b == '\\' && i+1 < len(line):
			i++
			word, open = append(word, line[i]), true
		case b == ' ' || b == '\t' || b == '\r':
			if open {
				words = append(words, string(word))
			}
			word, open = word[:0], false
		default:
			word, open = append(word, line[i]), true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open {
		words = append(words, string(word))
	}
	return words, nil
}
