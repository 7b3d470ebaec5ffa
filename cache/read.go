package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/zeebo/xxh3"

	"github.com/vf2prep/vf2prep/face"
)

// maxFile is the longest photo that is read, in bytes.
const maxFile = 64 << 20

// reader reads photos below a root into one buffer.
type reader struct {
	root *os.Root
	buf  bytes.Buffer
}

func newReader(root *os.Root) *reader { return &reader{root: root} }

// sample makes the sample of an item in dst.
func (b *build) sample(r *reader, it *item, dst []uint8) (face.Affine, error) {
	if it.problem != "" {
		return face.Affine{}, &Rejection{"manifest", it.problem, ""}
	}
	data, err := r.read(it.path)
	if err != nil {
		return face.Affine{}, err
	}
	if it.xxh3 != 0 && xxh3.Hash(data) != it.xxh3 {
		return face.Affine{}, &Rejection{"read", "changed since the manifest", fmt.Sprintf("XXH3 %016x, want %016x", xxh3.Hash(data), it.xxh3)}
	}
	return b.plan.o.Recipe.Transform(data, it.faceBox(), it.faceLandmarks(), dst)
}

// read returns a file's bytes, valid until the next call. What is wrong with the file is a
// *[Rejection]; what is wrong with the machine is another error and stops the build.
func (r *reader) read(path string) ([]byte, error) {
	path = filepath.FromSlash(path)
	// Looked at before it is opened: opening a pipe would wait for a writer.
	info, err := r.root.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, &Rejection{"read", "no regular file", ""}
	}
	if err != nil {
		return nil, rejectOpen(err)
	}
	f, err := r.root.Open(path)
	if err != nil {
		return nil, rejectOpen(err)
	}
	defer f.Close()
	r.buf.Reset()
	n, err := r.buf.ReadFrom(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &Rejection{"read", "can't be read", text(err)}
	}
	if n > maxFile {
		return nil, &Rejection{"read", "too long", fmt.Sprintf("over %d bytes", maxFile)}
	}
	return r.buf.Bytes(), nil
}

// rejectOpen says why a photo can't be opened, or passes on an error that is no fault of the
// photo's.
func rejectOpen(err error) error {
	for _, machine := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, machine) {
			return err
		}
	}
	reason := "can't be opened"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		reason = "no such file"
	case errors.Is(err, fs.ErrPermission):
		reason = "no permission"
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // package os has no name for it
		reason = "outside the root"
	}
	return &Rejection{"read", reason, text(err)}
}

// text returns an error without the path, which would differ between machines.
func text(err error) string {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
