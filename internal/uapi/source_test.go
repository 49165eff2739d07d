package uapi

import (
	"embed"
	"go/ast"
	goconst "go/constant"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// sources is embedded and not read from the directory, so that the compiled
// test also runs on a machine without the source.
//
//go:embed *.go
var sources embed.FS

// constant is one exported constant of the package, as its source has it.
type constant struct {
	name, goType, file, comment string
	value                       int64
}

// constants returns every exported constant of the package's own files.
func constants(t *testing.T) []constant {
	t.Helper()
	entries, err := sources.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var all []constant
	values := make(map[string]goconst.Value)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		src, err := sources.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				all = append(all, specConstants(t, e.Name(), g, values)...)
			}
		}
	}
	if len(all) < 300 {
		t.Fatalf("only %d constants found in the source", len(all))
	}
	return all
}

// specConstants returns the exported constants of one declaration.
func specConstants(t *testing.T, file string, g *ast.GenDecl, values map[string]goconst.Value) []constant {
	t.Helper()
	var found []constant
	for _, s := range g.Specs {
		spec := s.(*ast.ValueSpec)
		if len(spec.Names) != 1 || len(spec.Values) != 1 {
			t.Fatalf("%s: %s: want one name and one value a line", file, spec.Names[0])
		}
		name := spec.Names[0].Name
		v := evaluate(t, spec.Values[0], values)
		values[name] = v
		if !ast.IsExported(name) {
			continue
		}
		c := constant{name: name, file: file, comment: strings.TrimSpace(spec.Comment.Text())}
		if id, ok := spec.Type.(*ast.Ident); ok {
			c.goType = id.Name
		}
		var exact bool
		if c.value, exact = goconst.Int64Val(v); !exact {
			t.Fatalf("%s: %s is not an int64", file, name)
		}
		found = append(found, c)
	}
	return found
}

// evaluate computes what the package's constants are written with: literals,
// earlier constants, a minus and |.
func evaluate(t *testing.T, e ast.Expr, values map[string]goconst.Value) goconst.Value {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return goconst.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.Ident:
		if v, ok := values[e.Name]; ok {
			return v
		}
	case *ast.UnaryExpr:
		return goconst.UnaryOp(e.Op, evaluate(t, e.X, values), 0)
	case *ast.BinaryExpr:
		return goconst.BinaryOp(evaluate(t, e.X, values), e.Op, evaluate(t, e.Y, values))
	}
	t.Fatalf("constant expression %T is not literal", e)
	return nil
}
