// Package layers holds no code: its test holds the imports of every package against the table in
// docs/architecture.md.
package layers

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/vf2prep/vf2prep/"

var tableRow = regexp.MustCompile(`^\| (\d+) \| ([^|]+) \|`)

// rows reads the table: the row of each package, patterns such as internal/* included.
func rows(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, line := range strings.Split(string(text), "\n") {
		m := tableRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range strings.Split(m[2], "·") {
			out[strings.TrimSpace(p)] = n
		}
	}
	if len(out) < 10 {
		t.Fatalf("docs/architecture.md has a table of %d packages", len(out))
	}
	return out
}

func rowOf(table map[string]int, pkg string) (int, bool) {
	if n, ok := table[pkg]; ok {
		return n, true
	}
	n, ok := table[filepath.ToSlash(filepath.Dir(pkg))+"/*"]
	return n, ok
}

func TestImportsFollowTheTable(t *testing.T) {
	table := rows(t)
	seen := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "testdata" || d.Name() == "tools" || d.Name() == "asm") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		dir, err := filepath.Rel("../..", filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		row, ok := rowOf(table, pkg)
		if !ok {
			t.Errorf("%s: package %s is not in the table of docs/architecture.md", path, pkg)
			return nil
		}
		seen[pkg] = true
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if strings.HasPrefix(name, "gorgonia.org/") && pkg != "nn" && pkg != "train" {
				t.Errorf("%s imports %s: only nn and train may", path, name)
			}
			to, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			if below, ok := rowOf(table, to); !ok || below >= row {
				t.Errorf("%s", offence(path, pkg, row, to, below, ok))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range table {
		if !strings.HasSuffix(pkg, "/*") && !seen[pkg] {
			t.Errorf("docs/architecture.md has a row for %s, which is not there", pkg)
		}
	}
}

func offence(path, pkg string, row int, to string, below int, known bool) string {
	if !known {
		return fmt.Sprintf("%s: %s imports %s, which is in no row", path, pkg, to)
	}
	return fmt.Sprintf("%s: %s (row %d) imports %s (row %d): only lower rows may be imported", path, pkg, row, to, below)
}
