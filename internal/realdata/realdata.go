// Package realdata tells tests where real faces are, which the project does not hold: in VF2PREP_DATA,
// else in ../shared/data beside it.
package realdata

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns a folder of real data, or skips the test where it is absent.
func Dir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("VF2PREP_DATA")
	if root == "" {
		root = filepath.Join(module(t), "..", "shared", "data")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real data: %v", err)
	}
	return dir
}

// module returns the directory of go.mod, above that of the package that is tested.
func module(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if up := filepath.Dir(dir); up != dir {
			dir = up
			continue
		}
		t.Fatal("no go.mod above the test")
	}
}
