package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/plan"
)

// fieldNames are the names of the fields of an uplink.
func fieldNames(t reflect.Type) (all []string) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			all = append(all, fieldNames(f.Type)...)
		} else {
			all = append(all, f.Name)
		}
	}
	return all
}

// What package table and those below it say about a field of an uplink is shown in words of
// the file. No name of Go is left, whatever the error.
func TestFieldErrorsInWords(t *testing.T) {
	fields := fieldNames(reflect.TypeFor[maintain.Uplink]())
	isName := func(word string) bool {
		word = strings.Trim(word, "%\"',.:;()[]")
		return slices.Contains(fields, word) && unicode.IsUpper(rune(word[0]))
	}
	known := []string{"name", "-etc", "probe", "family"} // none is a word of a line: people know what they mean
	for _, w := range uplinkWords {
		known = append(known, w.Names[0])
	}
	n := 0
	check := func(call *ast.CallExpr) {
		var texts []string
		for _, a := range call.Args {
			if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, s)
			}
		}
		if len(texts) == 0 || !slices.Contains(fields, texts[0]) {
			return // it hands on what another says, or is not about an uplink
		}
		n++
		e := plan.FieldError{Field: texts[0], Reason: strings.Join(texts[1:], " ")}
		word, reason, _ := strings.Cut(e.InWords(), ": ")
		first, _, _ := strings.Cut(word, " ")
		if !slices.Contains(known, first) {
			t.Errorf("%s: %q is no word of the file", texts[0], word)
		}
		if slices.ContainsFunc(strings.Fields(reason), isName) {
			t.Errorf("%s: a name of Go is left: %s", texts[0], reason)
		}
	}
	err := filepath.WalkDir("../../table", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(x ast.Node) bool {
			if call, ok := x.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && strings.EqualFold(f.Sel.Name, "fieldError") {
					check(call)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || n < 30 {
		t.Errorf("%d errors, %v", n, err)
	}
}

// Cures and texts of findings are for administrators: no name of Go is in the source.
func TestFindingsInWords(t *testing.T) {
	fields := append(fieldNames(reflect.TypeFor[maintain.Uplink]()), "Install", "Remove", "Recover", "Run")
	n := 0
	paths, err := filepath.Glob("../../table/check/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(x ast.Node) bool {
			lit, ok := x.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || !strings.Contains(lit.Value, " ") {
				return true
			}
			n++
			for _, word := range strings.Fields(strings.Trim(lit.Value, "\"`")) {
				if word = strings.Trim(word, ",.:;()"); slices.Contains(fields, word) && word != "Table" {
					t.Errorf("%s: %q in %s", path, word, lit.Value)
				}
			}
			return true
		})
	}
	if n < 50 {
		t.Errorf("%d texts", n)
	}
}
