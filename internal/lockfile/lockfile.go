// Package lockfile keeps two processes from working on one directory at once.
//
// The lock is the operating system's lock on an open file, not the file's existence: it ends
// with the process that holds it, however that process ends, so a file that was left behind by
// a killed one never blocks the next. The file holds the owner's process id, for the error
// message only.
//
// On systems that know no such lock (neither flock nor LockFileEx) the file's existence has to
// do, and one that was left behind must be removed by hand; the error names it.
package lockfile

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrHeld says that another process, or another part of this one, has the lock.
var ErrHeld = errors.New("in use")

// Acquire takes the lock at path, which it creates in an existing directory, and returns at
// once. The function that it returns gives the lock back and removes the file; calling it again
// does nothing.
//
// The error wraps [ErrHeld] and names the owner's process id where somebody has the lock.
func Acquire(path string) (release func(), err error) {
	for {
		f, err := acquire(path)
		if errors.Is(err, ErrHeld) {
			return nil, fmt.Errorf("%s: %w%s", path, ErrHeld, owner(path))
		}
		if err != nil {
			return nil, err
		}
		if !current(f, path) { // the last owner removed the file after we opened it
			f.Close()
			continue
		}
		if err := f.Truncate(0); err == nil {
			_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // a full disk must not stop the work
		}
		return func() {
			if f != nil {
				drop(f, path)
				f = nil
			}
		}, nil
	}
}

// current says whether path still names the open file f.
func current(f *os.File, path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	here, err := f.Stat()
	return err == nil && os.SameFile(here, there)
}

// owner returns " by process N" where the file says so.
func owner(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var b [32]byte
	n, _ := f.Read(b[:])
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" by process %d", pid)
}
