// Package atomicfile writes files that appear complete or not at all: to a temporary name in
// the same directory, synced, renamed.
//
// A process that is killed leaves its temporary file behind, hidden: a dot, the final name and a
// number. The next write of the same file removes it.
package atomicfile

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write calls fill with a buffered writer and gives the file its name when fill and the sync
// succeed; otherwise nothing is left behind. The file's permission bits are 0644. Only a regular
// file is ever replaced: a rename would take the place of a directory or of /dev/null too.
func Write(path string, fill func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Abandon()
	if err := fill(f); err != nil {
		return err
	}
	return f.Commit()
}

// File is a file on its way: what is written goes to a temporary file until Commit. Not for two
// goroutines at once.
type File struct {
	path string
	f    pendingFile
	w    *bufio.Writer
}

type pendingFile interface {
	file
	CloseAtomicallyReplace() error
	Cleanup() error
}

// Create begins a file that [File.Commit] gives its name, under the rules of [Write]. One that
// is not committed must be abandoned.
func Create(path string) (*File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is there and is no regular file", path)
	}
	sweep(path)
	f, err := newPending(path)
	if err != nil {
		return nil, err
	}
	return &File{path, f, bufio.NewWriterSize(&early{f: f}, 1<<16)}, nil
}

// Write appends b.
func (f *File) Write(b []byte) (int, error) { return f.w.Write(b) }

// Commit syncs the file and gives it its name.
func (f *File) Commit() error {
	if err := f.w.Flush(); err != nil {
		return err
	}
	if err := f.f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.path))
}

// Abandon removes what was written. After Commit it does nothing.
func (f *File) Abandon() { _ = f.f.Cleanup() }

// early asks the system to begin writing to the disk while more is to come, so that the sync at
// the end of a large file has little left to wait for.
type early struct {
	f          file
	n, started int64
}

// file is what early needs of a temporary file.
type file interface {
	io.Writer
	Fd() uintptr
}

// earlyBytes is how much is given to the disk at once.
const earlyBytes = 8 << 20

func (e *early) Write(b []byte) (int, error) {
	n, err := e.f.Write(b)
	e.n += int64(n)
	if e.n-e.started >= earlyBytes {
		startWriting(e.f.Fd(), e.started, e.n-e.started)
		e.started = e.n
	}
	return n, err
}

// minDigits is how long a temporary name's number is at least, give or take one in a million.
const minDigits = 12

// sweep removes what killed processes left of path.
func sweep(path string) {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)
	d, err := os.Open(dir)
	if err != nil {
		return // creating the file will say what is wrong
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		number, ok := strings.CutPrefix(name, prefix)
		if ok && len(number) >= minDigits && strings.Trim(number, "0123456789") == "" {
			removeAbandoned(filepath.Join(dir, name))
		}
	}
}

// Bytes writes b to path.
func Bytes(path string, b []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// SyncDir makes a rename in dir survive a loss of power. Systems that can't sync a directory
// are let pass.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync()
	return nil
}
