package walls

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/policyroute/policyroute/"
)

// may is what each package may import of the module, tests aside. A name that ends
// with /... stands for all packages below it. A package that wants another one needs a
// better reason than that it is handy: ask what the wall is for first.
var may = map[string][]string{
	"rttables":      {"internal/files"},
	"route":         {"rttables", "internal/attr", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"route/nexthop": {"route", "internal/attr", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"rule":          {"route", "rttables", "internal/attr", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"route/show":    {"route", "route/nexthop", "rule", "rttables", "internal/attr", "internal/iptext", "internal/uapi"},

	// The planner. Transitions are planned without a socket; what an uplink means for
	// rules and routes is said in form and uplink alone.
	"table/internal/form":  {"route", "rttables", "rule"},
	"table/internal/owner": {"route", "rttables", "rule"},
	"table/internal/host":  {"route", "rttables", "rule", "table/internal/form", "internal/attr", "internal/files", "internal/rtnl", "internal/uapi"},
	"table/plan":           {"route", "rttables", "rule", "table/internal/form", "internal/files", "internal/iptext", "internal/rtnl"},
	"table/internal/uplink": {
		"route", "rttables", "rule", "table/plan", "table/internal/form", "table/internal/host",
	},
	"table/internal/transition": {
		"route", "rttables", "rule", "table/plan", "table/internal/form", "table/internal/host", "table/internal/uplink",
	},
	"table/internal/draft": {
		"route", "rttables", "table/plan", "table/internal/host", "table/internal/transition", "table/internal/uplink",
	},
	"table": {
		"route", "rttables", "rule", "table/plan", "table/internal/draft", "table/internal/host", "table/internal/uplink",
	},

	// Neither of these knows the planner.
	"table/snapshot": {"route", "route/nexthop", "rttables", "rule", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"table/health":   {"route", "internal/rtnl"},
	"table/explain":  {"route", "route/nexthop", "rttables", "rule", "table/plan", "table/snapshot", "table/internal/form", "internal/attr", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"table/explain/picture": {
		"route", "rttables", "rule", "table/explain", "table/internal/owner", "internal/iptext",
	},

	"table/check": {
		"route", "rttables", "rule", "table", "table/plan", "table/snapshot", "table/internal/draft", "table/internal/form",
		"table/internal/owner", "table/internal/host", "table/internal/uplink", "table/reply", "internal/attr", "internal/conntrack", "internal/files", "internal/nft", "internal/iptext", "internal/rtnl", "internal/uapi",
	},
	"table/maintain": {
		"route", "route/nexthop", "rttables", "rule", "table", "table/plan", "table/health", "table/internal/draft", "table/internal/form", "table/internal/owner",
		"table/internal/host", "table/internal/transition", "table/internal/uplink", "table/reply", "internal/conntrack", "internal/files", "internal/iptext", "internal/nft",
		"internal/rtnl", "internal/uapi",
	},
	"table/internal/ruleset": {"route", "table/plan", "internal/nft", "internal/rtnl", "internal/uapi"},
	"table/reply": {
		"route", "rttables", "rule", "table", "table/plan", "table/internal/draft", "table/internal/form", "table/internal/host",
		"table/internal/ruleset", "table/internal/transition", "table/internal/uplink", "internal/nft", "internal/uapi",
	},
	"table/discover": {
		"route", "rttables", "rule", "table/maintain", "table/internal/form", "table/internal/host",
	},

	// What tests share.
	"table/internal/randomhost": {"route", "route/nexthop", "rule", "table/explain", "internal/uapi"},
	"table/internal/tabletest": {
		"route", "rttables", "rule", "table", "table/plan", "internal/lab", "internal/nft", "internal/testrun", "internal/uapi",
	},

	"internal/uapi":      {},
	"internal/files":     {},
	"internal/attr":      {},
	"internal/iptext":    {"rttables", "internal/attr", "internal/uapi"},
	"internal/rtnl":      {"internal/attr"},
	"internal/nft":       {"internal/attr", "internal/rtnl", "internal/uapi"},
	"internal/conntrack": {"internal/attr", "internal/rtnl", "internal/uapi"},
	"internal/lab":       {"internal/uapi"},
	"internal/fibtrace":  {},
	"internal/capture":   {},
	"internal/corpus":    {},
	"internal/walls":     {},
	"internal/testrun":   {},

	// Programs take what a user could take, and what text and namespaces need.
	"examples/demo":           {"route", "rttables", "rule", "table/...", "table", "internal/iptext", "internal/lab", "internal/uapi"},
	"examples/ip":             {"route/...", "route", "rttables", "rule", "internal/attr", "internal/files", "internal/iptext", "internal/rtnl", "internal/uapi"},
	"examples/uplinks/manual": {},
	"examples/uplinks":        {"examples/uplinks/manual", "route", "rttables", "rule", "table/...", "table", "internal/capture", "internal/fibtrace", "internal/files", "internal/iptext", "internal/rtnl"},
}

// sockets are packages that open files or sockets, or wait for those who do. The planner
// of transitions imports none of them.
var sockets = []string{"context", "net", "os", "os/exec", "io", "syscall", "golang.org/x/sys/unix", "github.com/mdlayher/netlink"}

// parse returns what each package of the module imports, by its folder.
func parse(t *testing.T) map[string]map[string]bool {
	t.Helper()
	imports := make(map[string]map[string]bool)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			nested := name != root && exists(filepath.Join(name, "go.mod"))
			if base == "testdata" || nested || name != root && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		if imports[pkg] == nil {
			imports[pkg] = make(map[string]bool)
		}
		for _, spec := range file.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports[pkg][p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// TestImports holds the imports of all packages against the table.
func TestImports(t *testing.T) {
	imports := parse(t)
	for pkg := range may {
		if imports[pkg] == nil {
			t.Errorf("the table has a package %s, which is not there", pkg)
		}
	}
	for pkg, all := range imports {
		allowed, ok := may[pkg]
		if !ok {
			t.Errorf("package %s is not in the table: say what it may import", pkg)
			continue
		}
		for p := range all {
			ours, ok := strings.CutPrefix(p, module)
			if ok && !slices.ContainsFunc(allowed, func(a string) bool { return matches(a, ours) }) {
				t.Errorf("package %s imports %s, which it may not: it may import %s", pkg, ours, strings.Join(allowed, ", "))
			}
		}
		for _, a := range allowed {
			if !slices.ContainsFunc(keys(all), func(p string) bool { return matches(a, strings.TrimPrefix(p, module)) }) &&
				!strings.HasPrefix(pkg, "examples/") {
				t.Errorf("package %s may import %s and does not: take it out of the table", pkg, a)
			}
		}
	}
}

func keys(m map[string]bool) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

// matches reports whether an entry of the table stands for a package.
func matches(entry, pkg string) bool {
	if below, ok := strings.CutSuffix(entry, "/..."); ok {
		return strings.HasPrefix(pkg, below+"/") && !strings.Contains(pkg, "/internal/")
	}
	return entry == pkg
}

// TestTransitionIsPure holds that the planner of transitions can open no socket: it
// imports nothing that does, and uses nothing of other packages that takes a connection
// or a context, or dials.
func TestTransitionIsPure(t *testing.T) {
	const pkg = "table/internal/transition"
	for p := range parse(t)[pkg] {
		if slices.Contains(sockets, p) || strings.HasSuffix(p, "/rtnl") {
			t.Errorf("%s imports %s", pkg, p)
		}
	}
	files, err := filepath.Glob(path.Join(root, pkg, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of %s: %v", pkg, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Conn", "Dial", "Socket", "Read", "ReadRules", "Apply"}, s.Sel.Name) {
				t.Errorf("%s: %s can reach a socket", fset.Position(n.Pos()), s.Sel.Name)
			}
			return true
		})
	}
}
