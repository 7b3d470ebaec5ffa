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
		root = filepath.Join("..", "..", "shared", "data") // from a package's directory
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real data: %v", err)
	}
	return dir
}
