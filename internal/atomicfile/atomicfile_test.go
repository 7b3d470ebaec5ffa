package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteLeavesNothingBehindOnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Bytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	err := Write(path, func(w io.Writer) error {
		w.Write([]byte("half"))
		return full
	})
	if !errors.Is(err, full) {
		t.Fatalf("Write = %v, want the filler's error", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("file holds %q, want the old bytes", b)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%d files are left, want 1", len(names))
	}
}

// A killed process leaves its temporary file; the next write of the same file removes it, but
// never one that is being written.
func TestWriteSweeps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for name, stays := range map[string]bool{
		".a6129484611666145821": false,
		".a12":                  true, // somebody else's
		".ab129484611666145821": true,
		"a6129484611666145821":  true,
	} {
		name := filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := os.Stat(name); (err == nil) != stays {
				t.Errorf("%s: %v, want it there: %v", filepath.Base(name), err, stays)
			}
		}()
	}
	err := Write(path, func(w io.Writer) error {
		if err := Bytes(path, []byte("inner")); err != nil {
			return err
		}
		_, err := w.Write([]byte("outer"))
		return err
	})
	if err != nil {
		t.Fatalf("a write during a write: %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "outer" {
		t.Errorf("file holds %q, want the last one's bytes", b)
	}
}

func TestWriteReplacesRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	if err := Bytes(dir, nil); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Skip(err)
	}
	link := filepath.Join(dir, "null")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Skip(err)
	}
	if err := Bytes(link, nil); err == nil {
		t.Error("a device was replaced")
	}
}
