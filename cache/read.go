package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxFile is the longest photo that is read, in bytes.
const maxFile = 64 << 20

// Reasons of stage "read" that more than one place gives.
const (
	notThere    = "no such file"
	notRegular  = "no regular file"
	outsideRoot = "outside the root"
	tooLong     = "too long"
)

func rejectTooLong() error {
	return &Rejection{"read", tooLong, fmt.Sprintf("over %d bytes", maxFile)}
}

// tree reads photos below a directory. Nothing outside it is read, whatever the paths and the
// links below it say. Many goroutines may use it at once.
type tree struct {
	root *os.Root
	fast fastTree // what the system has for it
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	return &tree{root, openFast(dir)}, nil
}

func (t *tree) close() {
	t.fast.close()
	t.root.Close()
}

// photoFile is a file that was opened and is known to be a regular one.
type photoFile interface {
	size() int64
	read(b []byte) (int, error)
	close()
}

// open opens a photo. What is wrong with the file is a *[Rejection]; what is wrong with the
// machine is another error and stops the build.
func (t *tree) open(path string) (photoFile, error) {
	if f, err, ok := t.fast.open(path); ok {
		return f, err
	}
	path = filepath.FromSlash(path)
	// Looked at before it is opened: opening a pipe would wait for a writer.
	info, err := t.root.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, &Rejection{"read", notRegular, ""}
	}
	if err != nil {
		return nil, rejectOpen(err)
	}
	f, err := t.root.Open(path)
	if err != nil {
		return nil, rejectOpen(err)
	}
	return slowFile{f, info.Size()}, nil
}

type slowFile struct {
	f     *os.File
	bytes int64
}

func (f slowFile) size() int64                { return f.bytes }
func (f slowFile) read(b []byte) (int, error) { return f.f.Read(b) }
func (f slowFile) close()                     { f.f.Close() }

// readAll appends a photo to buf.
func readAll(f photoFile, buf []byte) ([]byte, error) {
	size := f.size()
	if size > maxFile {
		return buf, rejectTooLong()
	}
	start := len(buf)
	// A byte more than there should be: a read that leaves it empty has seen the end.
	buf = grow(buf, int(size)+1)
	for {
		n, err := f.read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		got := len(buf) - start
		switch {
		case err == io.EOF || err == nil && int64(got) == size && len(buf) < cap(buf):
			return buf, nil
		case err != nil:
			return buf, &Rejection{"read", "can't be read", text(err)}
		case got > maxFile:
			return buf, rejectTooLong()
		case len(buf) == cap(buf): // it has grown since
			buf = grow(buf, len(buf))
		}
	}
}

// grow returns buf with room for n more bytes.
func grow(buf []byte, n int) []byte {
	if cap(buf)-len(buf) >= n {
		return buf
	}
	larger := make([]byte, len(buf), max(2*cap(buf), len(buf)+n, 64<<10))
	copy(larger, buf)
	return larger
}

// rejectOpen says why a photo can't be opened, or passes on an error that is no fault of the
// photo's.
func rejectOpen(err error) error {
	for _, machine := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, machine) {
			return err
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Rejection{"read", notThere, ""}
	case errors.Is(err, fs.ErrPermission):
		return &Rejection{"read", "no permission", ""}
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // package os has no name for it
		return &Rejection{"read", outsideRoot, ""}
	}
	return &Rejection{"read", "can't be opened", text(err)}
}

// text returns an error without the path, which would differ between machines.
func text(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
