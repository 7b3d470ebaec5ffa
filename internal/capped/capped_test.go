package capped

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var errKind = errors.New("of another kind")

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if b, err := Read(path, 4, errKind); err != nil || string(b) != "four" {
		t.Errorf("Read = %q, %v, want four", b, err)
	}
	f, size, err := OpenIn(root, "a", 4, nil)
	if err != nil || size != 4 {
		t.Fatalf("OpenIn = %d bytes, %v, want 4", size, err)
	}
	f.Close()
	for _, c := range []struct {
		path string
		is   error
		want string
	}{
		{path, errKind, path + ": 4 bytes, want a regular file of at most 3: of another kind"},
		{dir, errKind, "want a regular file"},
		{filepath.Join(dir, "none"), fs.ErrNotExist, "none"},
	} {
		if _, _, err := Open(c.path, 3, errKind); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%s): %v, want %q that wraps %v", c.path, err, c.want, c.is)
		}
	}
	if _, _, err := OpenIn(root, "a", 3, nil); err == nil || err.Error() != "4 bytes, want a regular file of at most 3" {
		t.Errorf("OpenIn: %v, want a refusal without the name", err)
	}
	if _, _, err := OpenIn(root, "../a", 3, nil); err == nil {
		t.Error("OpenIn leads out of the root")
	}
}
