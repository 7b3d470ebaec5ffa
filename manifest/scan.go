package manifest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/jpeg"
)

// Bounds of an honest face image. VGGFace2's files have 12 KB on average, and a photo of 100
// megapixels is beyond what its source, web search, returned.
const (
	maxFile   = 64 << 20  // bytes
	maxPixels = 100 << 20 // pixels
)

// formats are the values of Record.Format; [0] is unknown.
var formats = [...]string{"", "jpeg", "jpeg-progressive", "jpeg-arithmetic", "jpeg-lossless", "jpeg-hierarchical"}

// seen is what a look at one file shows.
type seen struct {
	bytes         int64
	xxh3          uint64
	width, height int
	components    int
	format        string
	codes         []string // of rowCodes
	err           error    // why the file can't be read
}

// scanner reads files below a root and keeps one buffer; it is for one goroutine.
type scanner struct {
	root *os.Root
	buf  []byte

	dir     string // the directory that sub is
	sub     *os.Root
	problem [4]string // backing of seen.codes
}

func (s *scanner) close() {
	if s.sub != nil {
		s.sub.Close()
	}
}

// open opens dir/name. A directory is opened once for its files, which spares the kernel two path
// elements a file; a link that leads out of the directory but not out of the root still works.
func (s *scanner) open(dir, name string, link bool) (*os.File, error) {
	if link {
		// Opening a pipe would wait for a writer.
		info, err := s.root.Stat(dir + "/" + name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, errors.New("not a file")
		}
		return s.root.Open(dir + "/" + name)
	}
	if dir != s.dir || s.sub == nil {
		s.close()
		s.sub = nil
		sub, err := s.root.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		s.dir, s.sub = dir, sub
	}
	return s.sub.Open(name)
}

// look reads one file: its length, the XXH3 of its bytes and its JPEG header.
func (s *scanner) look(dir, name string, link bool) (v seen) {
	v.codes = s.problem[:0]
	f, err := s.open(dir, name, link)
	if err != nil {
		v.err = err
		if errors.Is(err, fs.ErrNotExist) && !link {
			v.codes = append(v.codes, NoImage)
			return v
		}
		v.codes = append(v.codes, Unreadable)
		return v
	}
	defer f.Close()
	if s.buf == nil {
		s.buf = make([]byte, 64<<10)
	}
	n := 0
	for {
		k, err := f.Read(s.buf[n:])
		n += k
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			v.err = err
			v.codes = append(v.codes, Unreadable)
			return v
		}
		if n > maxFile {
			if info, err := f.Stat(); err == nil {
				v.bytes = info.Size()
			}
			v.codes = append(v.codes, TooLarge)
			return v
		}
		if n == len(s.buf) {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
	}
	b := s.buf[:n]
	if len(s.buf) > 4<<20 {
		s.buf = nil // one big file must not cost every worker its size for ever
	}
	v.bytes = int64(n)
	if n == 0 {
		v.codes = append(v.codes, ZeroByte)
		return v
	}
	v.xxh3 = xxh3.Hash(b)
	h, err := jpeg.ReadHeader(b)
	if err != nil {
		v.err = err
		if n < 2 || b[0] != 0xff || b[1] != 0xd8 {
			v.codes = append(v.codes, NotJPEG)
		} else {
			v.codes = append(v.codes, DamagedHeader)
		}
		return v
	}
	v.width, v.height, v.components, v.format = h.Width, h.Height, h.Components, h.Format()
	if !h.Supported() {
		v.codes = append(v.codes, Unsupported)
	}
	if h.Width*h.Height > maxPixels {
		v.codes = append(v.codes, TooLarge)
	}
	if h.Orientation > 1 {
		v.codes = append(v.codes, ExifRotated)
	}
	if bytes.LastIndex(b[h.Scan:], []byte{0xff, 0xd9}) < 0 {
		v.codes = append(v.codes, Truncated)
	}
	return v
}

// scan reads all files that the store knows to be there. The result does not depend on the number
// of workers: each writes to its own people, and the logs are merged in order.
func (b *builder) scan(ctx context.Context, root *os.Root, workers int, report progress.Reporter) error {
	var total int64
	for _, p := range b.store.people {
		for i := range p.rows {
			if p.rows[i].is(hasFile) {
				total++
			}
		}
	}
	report.Start(total, "scan")
	defer report.Done()
	workers = max(workers, 1)
	logs := make([]*problemLog, len(b.store.people))
	jobs := make(chan int)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		for i := range b.store.people {
			select {
			case jobs <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			s := &scanner{root: root}
			defer s.close()
			for i := range jobs {
				logs[i] = newProblemLog()
				if err := s.person(ctx, b, b.store.people[i], logs[i], report); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, l := range logs {
		b.log.merge(l)
	}
	return nil
}

func (s *scanner) person(ctx context.Context, b *builder, p *person, log *problemLog, report progress.Reporter) error {
	p.files = make([]fileInfo, len(p.rows))
	for i := range p.rows {
		r := &p.rows[i]
		if !r.is(hasFile) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		subset := Train
		if !r.is(onDiskTrain) {
			subset = Test
		}
		var dir, name string
		if p.names != nil {
			dir, name = path.Split(b.path(p, i))
			dir = path.Clean(dir)
		} else {
			dir, name = b.prefix+string(subset)+"/"+p.ID, r.file()
		}
		v := s.look(dir, name, r.is(isLink))
		p.files[i] = fileInfo{
			xxh3: v.xxh3, bytes: v.bytes, width: uint16(v.width), height: uint16(v.height), components: uint8(v.components),
			format: uint8(max(slices.Index(formats[:], v.format), 0)),
		}
		for _, code := range v.codes {
			r.set(code)
			switch {
			case v.err != nil && isEscape(v.err):
				log.example(code, path.Join(dir, name), 0, "a link that leads out of the root is not followed")
			case v.err != nil:
				log.example(code, path.Join(dir, name), 0, "%v", cause(v.err))
			case code == TooLarge:
				log.example(code, path.Join(dir, name), 0, "%d bytes, %dx%d pixels", v.bytes, v.width, v.height)
			}
		}
		report.Add(1)
	}
	return nil
}

// file returns the image's file name, "0001_01.jpg".
func (r *row) file() string { return string(r.appendFile(make([]byte, 0, 32))) }

// path returns the path below the root of row i's file, of a layout that names its files.
func (b *builder) path(p *person, i int) string {
	if b.o.Layout == Folders {
		return p.ID + "/" + p.names[i]
	}
	return p.names[i]
}

// appendPath appends the image's path below the root.
func (r *row) appendPath(b []byte, prefix string, subset Subset, identity string) []byte {
	b = append(append(b, prefix...), subset...)
	b = append(append(append(b, '/'), identity...), '/')
	return r.appendFile(b)
}

func (r *row) appendFile(b []byte) []byte {
	b = appendPadded(b, int32(r.key>>32), 4)
	b = appendPadded(append(b, '_'), int32(uint32(r.key)), 2)
	return append(b, exts[r.ext]...)
}
