// Package diskspace says how much room a file system has left.
package diskspace

import (
	"os"
	"path/filepath"
)

// Free returns the bytes that a user without privileges may still write in dir's file system.
// dir must exist.
func Free(dir string) (int64, error) { return free(dir) }

// Existing returns dir or, where it is still to be made, the nearest directory above it that is
// there.
func Existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
