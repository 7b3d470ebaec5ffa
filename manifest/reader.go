package manifest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/vf2prep/vf2prep/internal/digest"
)

// Bounds of a manifest that is read. The full data set has 3.3 M rows and an identity table of
// about 1 MB.
const (
	maxRows   = 1 << 28
	maxFooter = 256 << 20
)

// Reader reads the records of one manifest.
type Reader struct {
	path   string
	file   *os.File
	bytes  io.ReaderAt
	size   int64
	pq     *parquet.File
	cols   []column
	fill   []*column // by the file's column index; nil is passed over
	prob   int       // the column index of problems
	nameID int
	digest func() (string, error)
	m      Manifest
}

// Open opens a manifest. The error wraps [ErrCorrupt] or [ErrVersion] where the file is at fault.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := open(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.path, r.file = path, f
	r.digest = sync.OnceValues(func() (string, error) { return digest.File(path) })
	return r, nil
}

// caught turns a panic of the Parquet library about damaged bytes into an error.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v: %w", p, ErrCorrupt)
	}
}

func open(f io.ReaderAt, size int64) (r *Reader, err error) {
	defer caught(&err)
	var tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("%d bytes are no Parquet file: %w", size, ErrCorrupt)
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(tail[4:]) != "PAR1" {
		return nil, fmt.Errorf("no Parquet file, or cut off: %w", ErrCorrupt)
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:])); n > min(maxFooter, size-12) {
		return nil, fmt.Errorf("footer of %d bytes in a file of %d: %w", n, size, ErrCorrupt)
	}
	footer := make([]byte, binary.LittleEndian.Uint32(tail[:]))
	if _, err := f.ReadAt(footer, size-8-int64(len(footer))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := checkThrift(footer); err != nil {
		return nil, err
	}
	if s, err := footerSum(footer); err != nil || string(s.digits) != s.want {
		return nil, corrupt("footer: checksum %s, want %s", s.digits, s.want)
	}
	pq, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if err := checkVersion(pq.Lookup(keyVersion)); err != nil {
		return nil, err
	}
	if n := pq.NumRows(); n < 0 || n > maxRows {
		return nil, fmt.Errorf("%d rows, at most %d are read: %w", n, maxRows, ErrCorrupt)
	}
	r = &Reader{bytes: f, size: size, pq: pq, prob: -1, nameID: -1}
	for key, into := range map[string]any{keyCounts: &r.m.Counts, keyInputs: &r.m.Inputs} {
		s, ok := pq.Lookup(key)
		if !ok {
			return nil, fmt.Errorf("metadata lacks %s: %w", key, ErrCorrupt)
		}
		if err := json.Unmarshal([]byte(s), into); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", key, err, ErrCorrupt)
		}
	}
	ids, ok := pq.Lookup(keyIdentities)
	if !ok {
		return nil, fmt.Errorf("metadata lacks %s: %w", keyIdentities, ErrCorrupt)
	}
	if r.m.Identities, err = decodeIdentities(ids); err != nil {
		return nil, err
	}
	layout, _ := pq.Lookup(keyLayout)
	if r.m.Layout, err = parseLayout(layout); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", keyLayout, err, ErrCorrupt)
	}
	return r, r.matchColumns()
}

// matchColumns finds this package's columns in the file's schema. Columns that it does not know
// are passed over.
func (r *Reader) matchColumns() error {
	got := r.pq.Schema()
	paths := got.Columns()
	for _, p := range paths {
		if name, ok := strings.CutPrefix(p[0], attrPrefix); ok && len(p) == 1 {
			r.m.Attributes = append(r.m.Attributes, name)
		}
	}
	if len(r.m.Attributes) > maxAttributes {
		return fmt.Errorf("%d attributes, at most %d are read: %w", len(r.m.Attributes), maxAttributes, ErrCorrupt)
	}
	r.cols = columns(r.m.Attributes)
	want := schema(r.cols)
	r.fill = make([]*column, len(paths))
	for i := range r.cols {
		c := &r.cols[i]
		leaf, ok := got.Lookup(c.name)
		if !ok {
			return fmt.Errorf("no column %s: %w", c.name, ErrCorrupt)
		}
		w, _ := want.Lookup(c.name)
		if leaf.Node.Type().Kind() != w.Node.Type().Kind() || leaf.MaxRepetitionLevel != 0 {
			return fmt.Errorf("column %s is %v, want %v: %w", c.name, leaf.Node.Type(), w.Node.Type(), ErrCorrupt)
		}
		if c.name == "name_id" {
			r.nameID = leaf.ColumnIndex
		}
		r.fill[leaf.ColumnIndex] = c
	}
	leaf, ok := got.Lookup(problemsColumn, "list", "element")
	if !ok || leaf.Node.Type().Kind() != parquet.ByteArray {
		return fmt.Errorf("no column %s with a list of strings: %w", problemsColumn, ErrCorrupt)
	}
	r.prob = leaf.ColumnIndex
	return nil
}

// Rows returns the number of records.
func (r *Reader) Rows() int64 { return r.pq.NumRows() }

// Identities returns the identity table, sorted by ID.
func (r *Reader) Identities() []Identity { return r.m.Identities }

// Layout returns how the data set names its files.
func (r *Reader) Layout() Layout { return r.m.Layout }

// Anonymous reports whether images show nobody in particular: ID.Identity then only tells them
// apart.
func (r *Reader) Anonymous() bool { return r.m.Layout.Anonymous() }

// Attributes returns the names of the attributes that records may have.
func (r *Reader) Attributes() []string { return r.m.Attributes }

// Inputs returns the files that the manifest was made from.
func (r *Reader) Inputs() []Input { return r.m.Inputs }

// Counts returns the numbers that were counted when the manifest was made.
func (r *Reader) Counts() Counts { return r.m.Counts }

// Digest returns the digest of the file's bytes, or "" when they can't be read any more.
func (r *Reader) Digest() string {
	d, _ := r.digest()
	return d
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// All yields the records in order: subset (train first), identity, image, face. The record is
// valid until the next one; its strings and slices may be kept. After an error nothing follows.
func (r *Reader) All() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		var rec, last Record
		in := &interner{known: map[string]string{}}
		rows := make([]parquet.Row, 256)
		var n int64
		guard, err := newGuard(r.bytes, r.size)
		if err != nil {
			yield(nil, err)
			return
		}
		defer guard.close()
		meta := r.pq.Metadata().RowGroups
		for g, group := range r.pq.RowGroups() {
			if err := guard.check(&meta[g]); err != nil {
				yield(nil, fmt.Errorf("%s: row group %d: %w", r.path, g, err))
				return
			}
			if err := r.group(group, rows, func(row parquet.Row) (bool, error) {
				if err := r.decode(&rec, row, in); err != nil {
					return false, err
				}
				if n > 0 && compareRecords(last, rec) >= 0 {
					return false, fmt.Errorf("%s after %s is out of order: %w", rec.ID, last.ID, ErrCorrupt)
				}
				last = rec
				n++
				return yield(&rec, nil), nil
			}); err != nil {
				if err != errStop {
					yield(nil, fmt.Errorf("%s: row group %d: row %d: %w", r.path, g, n, err))
				}
				return
			}
		}
		if n != r.Rows() {
			yield(nil, fmt.Errorf("%s: %d rows, the footer says %d: %w", r.path, n, r.Rows(), ErrCorrupt))
		}
	}
}

var errStop = errors.New("stop")

// group calls each for every row of a row group. A panic of the library becomes an error; one of
// the caller's loop body passes through.
func (r *Reader) group(group parquet.RowGroup, buf []parquet.Row, each func(parquet.Row) (bool, error)) error {
	var rows parquet.Rows
	if err := func() (err error) {
		defer caught(&err)
		rows = group.Rows()
		return nil
	}(); err != nil {
		return err
	}
	defer func() {
		var err error
		defer caught(&err)
		rows.Close()
	}()
	for {
		n, err := func() (n int, err error) {
			defer caught(&err)
			return rows.ReadRows(buf)
		}()
		for _, row := range buf[:n] {
			more, err := each(row)
			if err != nil {
				return err
			}
			if !more {
				return errStop
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, fs.ErrClosed), errors.Is(err, ErrCorrupt):
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", err, ErrCorrupt)
		case n == 0:
			return fmt.Errorf("rows end early: %w", ErrCorrupt)
		}
	}
}

// decode fills rec from a row and checks what other code relies on.
func (r *Reader) decode(rec *Record, row parquet.Row, in *interner) error {
	*rec = Record{Gender: GenderUnknown, Age: unknownAge(), Attributes: Attributes{names: r.m.Attributes}}
	var nameID []byte
	present := 0
	for _, v := range row {
		i := v.Column()
		if v.IsNull() || i < 0 || i >= len(r.fill) {
			continue
		}
		if i == r.prob {
			rec.Problems = append(rec.Problems, in.text(v))
			continue
		}
		c := r.fill[i]
		if c == nil {
			continue
		}
		if c.required {
			present++
		}
		if i == r.nameID {
			nameID = v.ByteArray()
		}
		if c.get != nil {
			c.get(rec, v, in)
		}
	}
	identity, image, fc, ok := parseNameID(nameID)
	switch {
	case present != 6:
		return fmt.Errorf("a required column is null: %w", ErrCorrupt)
	case !ok || string(identity) != rec.ID.Identity || image != rec.ID.Image || fc != rec.ID.Face:
		return fmt.Errorf("name_id %q does not fit identity %q, image %d, face %d: %w", nameID, rec.ID.Identity, rec.ID.Image, rec.ID.Face, ErrCorrupt)
	case rec.Subset != Train && rec.Subset != Test:
		return fmt.Errorf("%s: subset %q is neither train nor test: %w", nameID, rec.Subset, ErrCorrupt)
	case !fs.ValidPath(rec.Path) || rec.Path == "." || strings.ContainsAny(rec.Path, "\\:\x00"):
		// Paths are joined to the user's root and opened.
		return fmt.Errorf("%s: path %q is not below the root: %w", nameID, rec.Path, ErrCorrupt)
	case rec.Width < 0 || rec.Height < 0 || rec.Bytes < 0:
		return fmt.Errorf("%s: a negative size: %w", nameID, ErrCorrupt)
	case rec.HasLandmarks && !rec.Landmarks.Finite() || rec.HasBox && !finite(rec.Box.X, rec.Box.Y, rec.Box.W, rec.Box.H):
		return fmt.Errorf("%s: a box or landmark is not finite: %w", nameID, ErrCorrupt)
	}
	return nil
}

func finite(vs ...float64) bool {
	return !slices.ContainsFunc(vs, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// Load reads a whole manifest. Its records take about 300 bytes each in memory, 1 GB for the
// full data set; [Open] and [Reader.All] need none.
func Load(path string) (*Manifest, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	m := r.m
	m.Records = make([]Record, 0, min(r.Rows(), 1<<22))
	for rec, err := range r.All() {
		if err != nil {
			return nil, err
		}
		m.Records = append(m.Records, *rec)
	}
	if m.Digest, err = r.digest(); err != nil {
		return nil, err
	}
	return &m, nil
}
