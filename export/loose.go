package export

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Loose is a Format that makes every sample's image a file of its own. The workers write these
// files; Record and Piece are not called. SumsName lists them.
type Loose interface {
	Format
	// Path returns the file's name, with slashes.
	Path(s *Sample) (string, error)
}

// SumsName is the list of loose files: SHA-256 and name, as sha256sum writes and checks it.
const SumsName = "files.sha256"

// looseCount counts files that have no line of their own in export.json.
type looseCount struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// sumsDir holds the lists of the pieces while the export is under way.
const sumsDir = "sums.partial"

// looseFiles writes the files of a Loose format. Its methods but piece may be called by many
// goroutines.
type looseFiles struct {
	format Loose
	root   *os.Root
	dir    string
	made   sync.Map // directories that are there
}

func newLooseFiles(dir string, f Loose) (*looseFiles, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &looseFiles{format: f, root: root, dir: dir}, nil
}

// unique says whether each sample has a file of its own.
func unique(f Loose, samples iter.Seq2[*Sample, error]) error {
	seed := maphash.MakeSeed()
	var all []uint64
	for s, err := range samples {
		if err != nil {
			return err
		}
		name, err := f.Path(s)
		if err != nil {
			return err
		}
		all = append(all, maphash.String(seed, name))
	}
	slices.Sort(all)
	if n := len(all) - len(slices.Compact(all)); n > 0 {
		return fmt.Errorf("%d samples would have the file of another one", n)
	}
	return nil
}

func (l *looseFiles) close() { l.root.Close() }

// write writes a sample's image and appends its line of the list to dst.
func (l *looseFiles) write(dst []byte, s *Sample) ([]byte, error) {
	name, err := l.format.Path(s)
	if err != nil {
		return dst, err
	}
	if err := localName(name); err != nil {
		return dst, err
	}
	if err := l.makeDir(path.Dir(name)); err != nil {
		return dst, err
	}
	f, err := l.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return dst, err
	}
	_, err = f.Write(s.Image)
	if err == nil && !syncsAtOnce {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return dst, err
	}
	sum := sha256.Sum256(s.Image)
	dst = hex.AppendEncode(dst, sum[:])
	return append(append(append(dst, "  "...), name...), '\n'), nil
}

func (l *looseFiles) makeDir(dir string) error {
	if _, ok := l.made.Load(dir); ok {
		return nil
	}
	if err := l.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
		return err
	}
	l.made.Store(dir, true)
	return nil
}

// remove takes away the file of a sample that is a reject now, which a killed run may have written.
func (l *looseFiles) remove(s *Sample) error {
	name, err := l.format.Path(s)
	if err != nil {
		return err
	}
	if err := l.root.Remove(filepath.FromSlash(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync returns when the files are on the disk.
func (l *looseFiles) sync() error {
	if !syncsAtOnce {
		return nil
	}
	return syncAll(l.dir)
}

func sumsName(part string, i int) string {
	return fmt.Sprintf("%s/%s-%06d", sumsDir, part, i)
}

// loosePiece writes the list of a piece's files.
type loosePiece struct{ f *File }

func (l *looseFiles) piece(p Piece, out *Output) (PieceWriter, error) {
	f, err := out.Create(sumsName(safeName(p.Part), p.I))
	return loosePiece{f}, err
}

func (p loosePiece) Add(_ *Sample, line []byte) error {
	_, err := p.f.Write(line)
	return err
}

func (loosePiece) Close() error { return nil }

// finish makes one list of those of the pieces.
func (l *looseFiles) finish(parts []PartPlan, out *Output) error {
	f, err := out.Create(SumsName)
	if err != nil {
		return err
	}
	for _, part := range parts {
		for _, p := range part.Pieces {
			b, err := l.root.ReadFile(filepath.FromSlash(sumsName(safeName(part.Name), p.I)))
			if err != nil {
				return err
			}
			if _, err := f.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}
