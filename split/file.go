package split

import (
	"bufio"
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
	minLine = 10       // bytes of the shortest line, "n/0001_01" and its end
)

// fileName returns the list of a part.
func fileName(p Part) string {
	if p == Excluded {
		return "excluded.csv"
	}
	return p.String() + "_list.txt"
}

// duplicatesName is the file of the components of duplicates that the manifest has: a,b with each
// image but the first and the first one. It is there where a split was made with duplicates.
const duplicatesName = "duplicates.csv"

// document is split.json.
type document struct {
	Format   string            `json:"format"`
	Strategy string            `json:"strategy"`
	Val      int               `json:"val,omitempty"`
	Ratio    float64           `json:"ratio,omitempty"`
	Folds    int               `json:"folds,omitempty"`
	Fold     *int              `json:"fold,omitempty"` // of k-fold
	FoldBy   string            `json:"fold_by,omitempty"`
	Group    string            `json:"group,omitempty"`
	Stratify string            `json:"stratify,omitempty"`
	Seed     uint64            `json:"seed"`
	MinTrain int               `json:"min_train"`
	Manifest string            `json:"manifest"`
	Inputs   []Input           `json:"inputs,omitempty"`
	Lists    map[string]string `json:"lists"` // digest of each file
	Counts
	Forgotten int      `json:"taken_out,omitempty"` // images, on request since the split was made
	Classes   []string `json:"classes"`

	renamed bool // a class has lost its name
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
	if a.together == nil { // of the split that was here before
		if err := os.Remove(filepath.Join(dir, duplicatesName)); err != nil && !os.IsNotExist(err) {
			return err
		}
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
	doc := a.document()
	add := func(name string, fill func(w io.Writer) error) error {
		sum := digest.New()
		err := atomicfile.Write(filepath.Join(dir, name), func(w io.Writer) error { return fill(io.MultiWriter(w, sum)) })
		doc.Lists[name] = sum.String()
		names = append(names, name)
		return err
	}
	for p := range parts {
		if err := add(fileName(p), func(w io.Writer) error { return a.writeList(w, p) }); err != nil {
			return nil, err
		}
	}
	if a.together != nil {
		if err := add(duplicatesName, a.writeDuplicates); err != nil {
			return nil, err
		}
	}
	err = atomicfile.Write(filepath.Join(dir, jsonName), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", " ")
		return enc.Encode(doc)
	})
	return append(names, jsonName), err
}

func (a *Assignment) document() document {
	o := a.Options
	doc := document{
		Format: format, Strategy: o.Strategy, Val: o.Val, Ratio: o.Ratio, Folds: o.Folds, FoldBy: o.FoldBy,
		Group: o.Group, Stratify: o.Stratify.String(), Seed: o.Seed, MinTrain: o.MinTrain, Manifest: a.Manifest, Inputs: a.Inputs,
		Lists: map[string]string{}, Counts: a.Counts(), Classes: notNil(a.Classes),
	}
	if o.Strategy == KFold {
		doc.Fold = &o.Fold
	}
	return doc
}

// options is what document put into doc.
func (doc *document) options() (Options, error) {
	traits, err := ParseTraits(doc.Stratify)
	if err != nil {
		return Options{}, fmt.Errorf("stratify: %w: %w", err, ErrCorrupt)
	}
	o := Options{
		Strategy: doc.Strategy, Val: doc.Val, Ratio: doc.Ratio, Seed: doc.Seed, MinTrain: doc.MinTrain,
		Folds: doc.Folds, FoldBy: doc.FoldBy, Group: doc.Group, Stratify: traits,
	}
	if doc.Fold != nil {
		o.Fold = *doc.Fold
	}
	return o, nil
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
			fmt.Fprintf(b, "%s,%s\n", csvField(r.ID.String()), csvQuote(r.Reason))
		default:
			fmt.Fprintf(b, "%s.jpg\n", r.ID)
		}
	}
	return b.Flush()
}

func (a *Assignment) writeDuplicates(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "a,b")
	for _, s := range a.stars {
		fmt.Fprintf(b, "%s,%s\n", csvField(a.Rows[s[0]].ID.String()), csvField(a.Rows[s[1]].ID.String()))
	}
	return b.Flush()
}

// csvField quotes a field where CSV needs it: the names of directories may hold anything.
func csvField(s string) string {
	if !strings.ContainsAny(s, `,"`) && !strings.HasPrefix(s, " ") {
		return s
	}
	return csvQuote(s)
}

func csvQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Split is a split as it was read from its directory.
type Split struct {
	Manifest string // digest of the manifest it was made from
	Digest   string // of split.json, which holds the digests of the lists
	Options  Options
	Inputs   []Input
	Classes  []string
	Counts   Counts
	// Forgotten is how many images were taken out on request since the split was made.
	Forgotten int
	Parts     [parts][]manifest.ImageID // filled by Read, empty after Open

	dir     string
	lists   map[string]string // digest of each file
	reasons []string          // of Parts[Excluded]; filled by Read
}

// Labels returns each class's label: its place in Classes.
func (s *Split) Labels() map[string]int32 { return (&Assignment{Classes: s.Classes}).Labels() }

// Open reads split.json alone; [Split.Each] and [Split.Join] read the lists, which are large.
func Open(dir string) (*Split, error) {
	text, err := readCapped(filepath.Join(dir, jsonName), maxJSON)
	if err != nil {
		return nil, fmt.Errorf("%s is no finished split: %w", dir, err)
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jsonName), err)
	}
	o, err := doc.options()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, jsonName), err)
	}
	return &Split{
		Manifest: doc.Manifest, Digest: digest.Bytes(text), Classes: doc.Classes, Counts: doc.Counts, Options: o, Inputs: doc.Inputs,
		Forgotten: doc.Forgotten, dir: dir, lists: doc.Lists,
	}, nil
}

// Read reads a split and holds its lists against split.json. The error wraps [ErrCorrupt] where
// they do not agree. The lists of the full data set take 80 MB in memory; after [Open],
// [Split.Each] needs next to none.
func Read(dir string) (*Split, error) {
	s, err := Open(dir)
	if err != nil {
		return nil, err
	}
	counts := [parts]int{s.Counts.Train, s.Counts.Val, s.Counts.Test, s.Counts.Excluded}
	for p := range parts {
		l, err := s.open(p)
		if err != nil {
			return nil, err
		}
		var ids []manifest.ImageID
		reasons := map[string]string{}                         // few, each kept once
		if n := min(int64(counts[p]), l.size/minLine); n > 0 { // split.json may say anything
			ids = make([]manifest.ImageID, 0, n)
		}
		for {
			id, err := l.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				l.close()
				return nil, err
			}
			ids = append(ids, id)
			if p != Excluded {
				continue
			}
			if _, ok := reasons[l.reason]; !ok {
				reasons[l.reason] = l.reason
			}
			s.reasons = append(s.reasons, reasons[l.reason])
		}
		l.close()
		s.Parts[p] = ids
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
	last := ""
	for i, c := range doc.Classes {
		if c == manifest.ForgottenClass(i) { // keeps its place
			continue
		}
		if last != "" && last >= c {
			return doc, fmt.Errorf("class %q is not after %q: %w", c, last, ErrCorrupt)
		}
		last = c
	}
	return doc, nil
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
