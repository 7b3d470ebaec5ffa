// Package capped opens files that strangers made: regular ones, of at most so many bytes.
package capped

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens a regular file of at most limit bytes and returns its size. Anything else, a pipe or a
// longer file, is refused by an error that wraps kind, where that is not nil; a pipe is not waited for.
func Open(path string, limit int64, kind error) (*os.File, int64, error) {
	f, size, err := open(limit, kind, func() (fs.FileInfo, error) { return os.Stat(path) }, func() (*os.File, error) { return os.Open(path) })
	if r, ok := err.(*refusal); ok {
		err = fmt.Errorf("%s: %w", path, r)
	}
	return f, size, err
}

// OpenIn is [Open] for the slash-separated name of a file below a root. A refusal does not name the file,
// since the caller knows what to call it.
func OpenIn(root *os.Root, name string, limit int64, kind error) (*os.File, int64, error) {
	name = filepath.FromSlash(name)
	return open(limit, kind, func() (fs.FileInfo, error) { return root.Stat(name) }, func() (*os.File, error) { return root.Open(name) })
}

// Read returns what [Open] opens.
func Read(path string, limit int64, kind error) ([]byte, error) {
	f, _, err := Open(path, limit, kind)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

type refusal struct {
	size, limit int64
	kind        error
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%d bytes, want a regular file of at most %d", r.size, r.limit)
	if r.kind != nil {
		text += ": " + r.kind.Error()
	}
	return text
}

func (r *refusal) Unwrap() error { return r.kind }

func open(limit int64, kind error, stat func() (fs.FileInfo, error), open func() (*os.File, error)) (*os.File, int64, error) {
	check := func(info fs.FileInfo, err error) error {
		if err == nil && (!info.Mode().IsRegular() || info.Size() > limit) {
			return &refusal{info.Size(), limit, kind}
		}
		return err
	}
	if err := check(stat()); err != nil { // before opening, which would wait for a pipe's other end
		return nil, 0, err
	}
	f, err := open()
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat() // the name may be another file's by now
	if err := check(info, err); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
