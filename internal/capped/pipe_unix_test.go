//go:build unix

package capped

import (
	"path/filepath"
	"syscall"
	"testing"
)

// Nobody writes to the pipe, so opening it would wait for ever.
func TestPipeIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.jpg")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, 3, nil); err == nil {
		t.Error("a pipe was opened")
	}
}
