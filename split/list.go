package split

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/manifest"
)

const listBuffer = 64 << 10 // bytes; a line is much shorter

// list reads the images of one part, one after another.
type list struct {
	path  string
	f     *os.File // nil for a reader of something else
	size  int64
	lines *bufio.Reader
	csv   *csv.Reader // of Excluded
	n     int         // number of the line that was read last
	id    manifest.ImageID

	reason string // of Excluded
}

func newList(r io.Reader, path string, p Part) *list {
	l := &list{path: path, lines: bufio.NewReaderSize(r, listBuffer)}
	if p == Excluded {
		l.csv = csv.NewReader(l.lines)
		l.csv.ReuseRecord = true
	}
	return l
}

// open opens the list of a part once its digest has been found right.
func (s *Split) open(p Part) (*list, error) {
	f, size, err := s.openFile(fileName(p))
	if err != nil {
		return nil, err
	}
	l := newList(f, f.Name(), p)
	l.f, l.size = f, size
	return l, nil
}

// openFile opens a file of the split once its digest has been found right.
func (s *Split) openFile(name string) (f *os.File, size int64, err error) {
	path := filepath.Join(s.dir, name)
	if f, err = os.Open(path); err != nil {
		return nil, 0, err
	}
	if size, err = s.check(f, name); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return f, size, nil
}

func (s *Split) check(f *os.File, name string) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() > maxList {
		return 0, fmt.Errorf("%d bytes, at most %d are read: %w", info.Size(), maxList, ErrCorrupt)
	}
	got, size, err := digest.Reader(io.LimitReader(f, maxList))
	if err != nil {
		return 0, err
	}
	if want := s.lists[name]; got != want {
		return 0, fmt.Errorf("digest %s, split.json says %s: %w", got, want, ErrCorrupt)
	}
	_, err = f.Seek(0, io.SeekStart)
	return size, err
}

func (l *list) close() {
	if l.f != nil {
		l.f.Close()
	}
}

// next returns the next image, or io.EOF.
func (l *list) next() (manifest.ImageID, error) {
	text, err := l.text()
	if err == nil {
		if err = l.id.Parse(text); err != nil {
			err = fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
	}
	switch {
	case err == nil:
		return l.id, nil
	case errors.Is(err, io.EOF):
		return manifest.ImageID{}, io.EOF
	}
	return manifest.ImageID{}, fmt.Errorf("%s:%d: %w", l.path, l.n, err)
}

// text returns the NAME_ID of the next line.
func (l *list) text() ([]byte, error) {
	l.n++
	if l.csv == nil {
		b, err := l.lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("a line of more than %d bytes: %w", listBuffer, ErrCorrupt)
		case errors.Is(err, io.EOF) && len(b) > 0: // a last line without its end
		case err != nil:
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte(".jpg")), nil
	}
	row, err := l.csv.Read()
	if l.n == 1 && err == nil { // the header
		l.n++
		row, err = l.csv.Read()
	} else if l.n == 1 && errors.Is(err, io.EOF) {
		err = errors.New("not even a header")
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("no CSV of image and reason: %w: %w", err, ErrCorrupt)
	}
	l.reason = ""
	if len(row) > 1 {
		l.reason = row[1]
	}
	return []byte(row[0]), nil
}

// Each yields the images of a part in the manifest's order without holding the list in memory.
// The list is held against its digest before the first image; after an error nothing follows.
func (s *Split) Each(p Part) iter.Seq2[manifest.ImageID, error] {
	return func(yield func(manifest.ImageID, error) bool) {
		l, err := s.open(p)
		if err != nil {
			yield(manifest.ImageID{}, err)
			return
		}
		defer l.close()
		for {
			id, err := l.next()
			if errors.Is(err, io.EOF) || !yield(id, err) || err != nil {
				return
			}
		}
	}
}

// Placed is a record and the part to which it goes.
type Placed struct {
	Record *manifest.Record
	Part   Part
}

// Join yields every record of the manifest, in its order, with its part. Manifest and lists have
// the same order, so no list is held in memory. The record is valid until the next one. The error
// wraps [ErrMismatch] where the split is not of this manifest; after an error nothing follows.
func (s *Split) Join(m *manifest.Reader) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		if s.Manifest != m.Digest() {
			yield(Placed{}, fmt.Errorf("the split was made from manifest %s, this one is %s: %w", s.Manifest, m.Digest(), ErrMismatch))
			return
		}
		var lists [parts]*list
		var head [parts]manifest.ImageID // the next image of each list; zero behind the last
		step := func(p Part) (err error) {
			if head[p], err = lists[p].next(); errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		for p := range parts {
			l, err := s.open(p)
			if err == nil {
				defer l.close()
				lists[p] = l
				err = step(p)
			}
			if err != nil {
				yield(Placed{}, err)
				return
			}
		}
		for r, err := range m.All() {
			q := Placed{Record: r}
			for err == nil && head[q.Part] != r.ID {
				if q.Part++; q.Part == parts {
					err = fmt.Errorf("%s of the manifest is in no part of %s, or out of order: %w", r.ID, s.dir, ErrMismatch)
				}
			}
			if err == nil {
				err = step(q.Part)
			}
			if err != nil {
				q = Placed{}
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
		for p, id := range head {
			if id != (manifest.ImageID{}) {
				yield(Placed{}, fmt.Errorf("%s of the split's %s is not in the manifest, or out of order: %w", id, Part(p), ErrMismatch))
				return
			}
		}
	}
}
