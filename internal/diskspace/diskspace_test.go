package diskspace

import (
	"path/filepath"
	"testing"
)

func TestFree(t *testing.T) {
	n, err := Free(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	if n <= 0 {
		t.Errorf("Free = %d, want more than nothing", n)
	}
	if _, err := Free("no such directory"); err == nil {
		t.Error("a directory that is not there has room")
	}
}

func TestExisting(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Join(dir, "new"), filepath.Join(dir, "new", "run")} {
		if got := Existing(d); got != dir {
			t.Errorf("Existing(%s) = %s, want %s", d, got, dir)
		}
	}
}
