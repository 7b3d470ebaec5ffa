//go:build unix

package importer

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A pipe is refused before it is opened: that waits for a writer, and no signal but SIGKILL ends it.
func TestPipesAreRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "x.rec")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := Import(context.Background(), options(pipe, filepath.Join(t.TempDir(), "out")))
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, ErrRec) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the import waits for a writer")
	}
}
