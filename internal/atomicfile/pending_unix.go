//go:build !windows

package atomicfile

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// newPending creates a temporary file and locks it, so that nobody takes it for abandoned.
func newPending(path string) (*renameio.PendingFile, error) {
	for {
		f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		if err := lock(f.File, true); err != nil {
			return f, nil // a file system without locks; no sweep gets one there either
		}
		if there(f.File) {
			return f, nil
		}
		_ = f.Cleanup() // a sweep was faster
	}
}

// removeAbandoned removes a temporary file that nobody is writing: the lock ends with its owner.
func removeAbandoned(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && lock(f, false) == nil {
		_ = os.Remove(path)
	}
}

// there reports whether an open file still has its name.
func there(f *os.File) bool {
	named, err := os.Stat(f.Name())
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(open, named)
}
