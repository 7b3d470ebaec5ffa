package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
)

// Output is where a format's files come from. Names are relative to the export directory, with
// slashes; one that would leave it is refused.
type Output struct {
	dir   string
	files []*File
	spans *spans
	used  []*span // by the piece under way
}

// FileInfo describes a finished file.
type FileInfo struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // 64 hex digits
	Samples int    `json:"samples,omitempty"`
	Part    string `json:"part,omitempty"`
}

// File is a file of one piece, or one that follows from all. It has its name when the piece is
// whole and synced.
type File struct {
	name string
	f    *atomicfile.File
	sum  hash.Hash
	size int64
}

// Create begins a file. It need not be closed.
func (o *Output) Create(name string) (*File, error) {
	path, err := o.path(name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	file := &File{name: name, f: f, sum: sha256.New()}
	o.files = append(o.files, file)
	return file, nil
}

// WriteFile writes a whole file.
func (o *Output) WriteFile(name string, b []byte) error {
	f, err := o.Create(name)
	if err == nil {
		_, err = f.Write(b)
	}
	return err
}

func (o *Output) path(name string) (string, error) {
	if err := localName(name); err != nil {
		return "", err
	}
	return filepath.Join(o.dir, filepath.FromSlash(name)), nil
}

// localName refuses what is no plain name below the export directory, and the names of the
// export's own files.
func localName(name string) error {
	if !fs.ValidPath(name) || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\:\x00\n") || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q is no name for a file of an export", name)
	}
	switch name {
	case IndexName, RejectsName, CroissantName, journalName, lockName:
		return fmt.Errorf("%q is a file that every export has", name)
	}
	return nil
}

// Write appends b.
func (f *File) Write(b []byte) (int, error) {
	f.sum.Write(b)
	n, err := f.f.Write(b)
	f.size += int64(n)
	return n, err
}

// Size returns how many bytes were written.
func (f *File) Size() int64 { return f.size }

func (f *File) info() FileInfo {
	return FileInfo{Name: f.name, Bytes: f.size, SHA256: hex.EncodeToString(f.sum.Sum(nil))}
}

// span is a file that goes on through all pieces of a part: NAME.partial until the last is whole.
type span struct {
	name string
	path string
	f    *os.File
	w    *bufio.Writer
	sum  hash.Hash // nil where not all bytes passed by
	size int64
}

const partialSuffix = ".partial"

// spans are those under way, by their names.
type spans struct {
	open map[string]*span
	past map[string]int64 // bytes that an earlier run left
}

// Continue returns the file that goes on through all pieces of a part: begun by its first piece,
// continued by the others, also after an interruption.
func (o *Output) Continue(name string) (*Span, error) {
	s, ok := o.spans.open[name]
	if !ok {
		path, err := o.path(name)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		s = &span{name: name, path: path, size: o.spans.past[name]}
		if s.f, err = os.OpenFile(path+partialSuffix, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
			return nil, err
		}
		o.spans.open[name] = s
		if err := s.f.Truncate(s.size); err != nil {
			return nil, err
		}
		if _, err := s.f.Seek(s.size, io.SeekStart); err != nil {
			return nil, err
		}
		if s.size == 0 {
			s.sum = sha256.New()
		}
		s.w = bufio.NewWriterSize(s.f, 1<<18)
	}
	o.used = append(o.used, s)
	return &Span{s}, nil
}

// Span is a file that several pieces write, one after another.
type Span struct{ s *span }

// Write appends b.
func (f *Span) Write(b []byte) (int, error) {
	if f.s.sum != nil {
		f.s.sum.Write(b)
	}
	n, err := f.s.w.Write(b)
	f.s.size += int64(n)
	return n, err
}

// Size returns how many bytes were written, those of the pieces before included.
func (f *Span) Size() int64 { return f.s.size }

// Patch replaces bytes that were written before, such as a number in the file's head.
func (f *Span) Patch(b []byte, at int64) error {
	if at < 0 || at+int64(len(b)) > f.s.size {
		return fmt.Errorf("export: %s: patch of %d bytes at %d of %d", f.s.name, len(b), at, f.s.size)
	}
	if err := f.s.w.Flush(); err != nil {
		return err
	}
	old := make([]byte, len(b))
	if _, err := f.s.f.ReadAt(old, at); err != nil {
		return err
	}
	if string(old) == string(b) {
		return nil
	}
	f.s.sum = nil
	_, err := f.s.f.WriteAt(b, at)
	return err
}

// seal gives a span that has all its bytes its name and returns its description; note is called
// before, when the bytes are on the disk.
func (s *span) seal() (FileInfo, error) {
	info := FileInfo{Name: s.name, Bytes: s.size}
	if s.sum != nil {
		info.SHA256 = hex.EncodeToString(s.sum.Sum(nil))
		return info, nil
	}
	var err error
	info.SHA256, err = sumFile(s.path + partialSuffix)
	return info, err
}

func (s *span) rename() error {
	if err := s.f.Close(); err != nil {
		return err
	}
	if err := os.Rename(s.path+partialSuffix, s.path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(s.path))
}

// sumFile returns the SHA-256 of a file in hex.
func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<18)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// abandon takes away what is not whole, but for spans, which can be continued.
func (o *Output) abandon() {
	for _, f := range o.files {
		f.f.Abandon()
	}
	o.files, o.used = nil, nil
}

func (s *spans) close() {
	for _, x := range s.open {
		if err := x.f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			continue // what it held is written again
		}
	}
}
