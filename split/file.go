package split

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/manifest"
)

const (
	format   = "vf2prep.split/1"
	jsonName = "split.json"

	maxJSON = 64 << 20 // bytes
	maxList = 1 << 30  // bytes; the full set's longest list is 63 MB
)

// fileName returns the list of a part.
func fileName(p Part) string {
	if p == Excluded {
		return "excluded.csv"
	}
	return p.String() + "_list.txt"
}

// document is split.json.
type document struct {
	Format   string            `json:"format"`
	Strategy string            `json:"strategy"`
	Val      int               `json:"val,omitempty"`
	Ratio    float64           `json:"ratio,omitempty"`
	Seed     uint64            `json:"seed"`
	MinTrain int               `json:"min_train"`
	Manifest string            `json:"manifest"`
	Lists    map[string]string `json:"lists"` // digest of each file
	Counts
	Classes []string `json:"classes"`
}

const (
	lockName = "split.lock"
	// newName is the directory in which the files are complete before the first one is replaced.
	newName = ".new"
)

// Write makes or replaces the files of a split in dir. All of them are on the disk before the
// first takes its place, so a full disk costs nothing; and split.json goes first and comes last,
// so that a split that was cut off is not taken for a whole one.
func (a *Assignment) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	release, err := lockfile.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, lockfile.ErrHeld) {
		return fmt.Errorf("another split is being made: %w", err)
	}
	if err != nil {
		return err
	}
	defer release()
	fresh := filepath.Join(dir, newName)
	if err := os.RemoveAll(fresh); err != nil { // of a process that was killed
		return err
	}
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	names, err := a.writeAll(fresh)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, jsonName)); err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(fresh, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return atomicfile.SyncDir(dir)
}

// writeAll writes every file of the split and returns their names, split.json last.
func (a *Assignment) writeAll(dir string) (names []string, err error) {
	doc := document{
		Format: format, Strategy: a.Options.Strategy, Val: a.Options.Val, Ratio: a.Options.Ratio,
		Seed: a.Options.Seed, MinTrain: a.Options.MinTrain, Manifest: a.Manifest,
		Lists: map[string]string{}, Counts: a.Counts(), Classes: notNil(a.Classes),
	}
	for p := range parts {
		sum := digest.New()
		err := atomicfile.Write(filepath.Join(dir, fileName(p)), func(w io.Writer) error {
			return a.writeList(io.MultiWriter(w, sum), p)
		})
		if err != nil {
			return nil, err
		}
		doc.Lists[fileName(p)] = sum.String()
		names = append(names, fileName(p))
	}
	err = atomicfile.Write(filepath.Join(dir, jsonName), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(doc)
	})
	return append(names, jsonName), err
}

func (a *Assignment) writeList(w io.Writer, p Part) error {
	b := bufio.NewWriter(w)
	if p == Excluded {
		fmt.Fprintln(b, "image,reason")
	}
	for _, r := range a.Rows {
		switch {
		case r.Part != p:
		case p == Excluded:
			fmt.Fprintf(b, "%s,%q\n", r.ID, r.Reason) // neither holds what Go quotes in another way than CSV
		default:
			fmt.Fprintf(b, "%s.jpg\n", r.ID)
		}
	}
	return b.Flush()
}

// Split is a split as it was read from its directory.
type Split struct {
	Manifest string // digest of the manifest it was made from
	Digest   string // of split.json, which holds the digests of the lists
	Options  Options
	Classes  []string
	Counts   Counts
	Parts    [parts][]manifest.ImageID
}

// Labels returns each class's label: its place in Classes.
func (s *Split) Labels() map[string]int32 { return (&Assignment{Classes: s.Classes}).Labels() }

// Read reads a split and holds its lists against split.json. The error wraps [ErrCorrupt] where
// they do not agree.
func Read(dir string) (*Split, error) {
	text, err := readCapped(filepath.Join(dir, jsonName), maxJSON)
	if err != nil {
		return nil, fmt.Errorf("%s is no finished split: %w", dir, err)
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jsonName), err)
	}
	s := &Split{
		Manifest: doc.Manifest, Digest: digest.Bytes(text), Classes: doc.Classes, Counts: doc.Counts,
		Options: Options{doc.Strategy, doc.Val, doc.Ratio, doc.Seed, doc.MinTrain},
	}
	for p := range parts {
		path := filepath.Join(dir, fileName(p))
		text, err := readCapped(path, maxList)
		if err != nil {
			return nil, err
		}
		if got, want := digest.Bytes(text), doc.Lists[fileName(p)]; got != want {
			return nil, fmt.Errorf("%s: digest %s, split.json says %s: %w", path, got, want, ErrCorrupt)
		}
		if s.Parts[p], err = parseList(text, p); err != nil {
			return nil, fmt.Errorf("%s:%w", path, err)
		}
	}
	return s, nil
}

func parseDocument(text []byte) (document, error) {
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	if doc.Format != format {
		return doc, fmt.Errorf("format %q, want %q: %w", doc.Format, format, ErrCorrupt)
	}
	for i, c := range doc.Classes {
		if i > 0 && doc.Classes[i-1] >= c {
			return doc, fmt.Errorf("class %q is not after %q: %w", c, doc.Classes[i-1], ErrCorrupt)
		}
	}
	return doc, nil
}

// parseList reads a list; its error begins with the line's number.
func parseList(text []byte, p Part) ([]manifest.ImageID, error) {
	var ids []manifest.ImageID
	if p == Excluded {
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil || len(rows) == 0 {
			return nil, fmt.Errorf("1: no CSV of image and reason: %w", ErrCorrupt)
		}
		for i, row := range rows[1:] {
			id, err := manifest.ParseImageID(row[0])
			if err != nil {
				return nil, fmt.Errorf("%d: %w: %w", i+2, err, ErrCorrupt)
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	last := ""
	for i := 1; len(text) > 0; i++ {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		text = rest
		id, err := manifest.ParseImageID(strings.TrimSuffix(string(line), ".jpg"))
		if err != nil {
			return nil, fmt.Errorf("%d: %w: %w", i, err, ErrCorrupt)
		}
		if id.Identity == last {
			id.Identity = last // one string an identity, not one an image
		}
		last = id.Identity
		ids = append(ids, id)
	}
	return ids, nil
}

func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read: %w", path, info.Size(), limit, ErrCorrupt)
	}
	return os.ReadFile(path)
}
