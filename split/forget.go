package split

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/manifest"
)

// Forgotten is the outcome of [Forget].
type Forgotten struct {
	Dir    string            `json:"dir"`
	Images int               `json:"images"` // lines that were taken out
	Before string            `json:"before"` // digest of split.json
	After  string            `json:"after"`
	Lists  map[string]string `json:"lists"` // digest before, of each list that changed
}

// Holding is what a split has of a list.
type Holding struct {
	What  []string          // entries that name one of its images or classes, sorted
	Lists map[string]string // digest of each list that Forget will write anew
	Split string            // digest of split.json
	Of    string            // digest of the manifest that it was made from
}

// Hold says what a split has of a list.
func Hold(dir string, t *manifest.Tombstones) (*Holding, error) {
	s, err := Open(dir)
	if errors.Is(err, fs.ErrNotExist) { // cut off by a kill
		s, err = Open(filepath.Join(dir, newName))
	}
	if err != nil {
		return nil, err
	}
	h := &Holding{Lists: map[string]string{}, Split: s.Digest, Of: s.Manifest}
	found := map[string]bool{}
	for _, list := range [][]string{s.Classes, s.Counts.Dropped, s.Counts.Untrained} {
		for _, id := range list {
			if t.Has(id) {
				found[id] = true
			}
		}
	}
	for name, sum := range s.lists {
		text, err := readList(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			text, err = readList(filepath.Join(dir, newName), name)
		}
		if err != nil {
			return nil, err
		}
		_, _, err = filterList(name, text, func(key string) bool {
			if by := t.By(key); by != "" {
				found[by] = true
				h.Lists[name] = sum
			}
			if t.Has(key) { // asked for by both names
				found[key] = true
			}
			return false
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
	}
	h.What = slices.Sorted(maps.Keys(found))
	return h, nil
}

// Forget takes everything that a list names out of a split, whose manifest is now another one: was are the
// digests that it had before, now is the one it has. Lines that stay keep their order and bytes. The classes keep their places, so no
// label changes; that of a forgotten identity has [manifest.ForgottenClass] for a name. A split that has
// nothing of the list, of a manifest that did not change, is not touched.
//
// As [Assignment.Write] does, it has all files on the disk before the first takes its place; what a
// killed process left of either is completed first.
func Forget(dir string, t *manifest.Tombstones, was []string, now string) (*Forgotten, error) {
	release, err := lockfile.Acquire(filepath.Join(dir, lockName))
	if errors.Is(err, lockfile.ErrHeld) {
		return nil, fmt.Errorf("another split is being made: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer release()
	if err := complete(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, jsonName)
	text, err := readCapped(path, maxJSON)
	if err != nil {
		return nil, fmt.Errorf("%s is no finished split: %w", dir, err)
	}
	doc, err := parseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Manifest != now && !slices.Contains(was, doc.Manifest) {
		return nil, fmt.Errorf("%s was made from manifest %s, this one is %s and was never that one: %w", dir, doc.Manifest, now, ErrMismatch)
	}
	out := &Forgotten{Dir: dir, Before: digest.Bytes(text), Lists: map[string]string{}}
	out.After = out.Before
	lists, err := doc.forget(dir, t, out)
	if err != nil {
		return nil, err
	}
	same := doc.Manifest == now
	doc.Manifest = now
	fresh, err := doc.marshal()
	if err != nil {
		return nil, err
	}
	if bytes.Equal(fresh, text) || out.Images == 0 && !doc.renamed && same {
		return out, os.RemoveAll(filepath.Join(dir, newName))
	}
	out.After = digest.Bytes(fresh)
	return out, replaceAll(dir, lists, fresh)
}

// forget takes what a list names out of the document, and returns the lists that change.
func (doc *document) forget(dir string, t *manifest.Tombstones, out *Forgotten) (map[string][]byte, error) {
	lists := map[string][]byte{}
	left := map[string]int{}
	identities := map[string]map[string]bool{}
	for name, want := range doc.Lists {
		text, err := readList(dir, name)
		if err != nil {
			return nil, err
		}
		if got := digest.Bytes(text); got != want {
			return nil, fmt.Errorf("%s: digest %s, split.json says %s: %w", filepath.Join(dir, name), got, want, ErrCorrupt)
		}
		identities[name] = map[string]bool{}
		kept, lost, err := filterList(name, text, t.Covers, func(key string) {
			left[name]++
			identities[name][key[:max(strings.LastIndexByte(key, '/'), 0)]] = true
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		if !bytes.Equal(kept, text) {
			if name != duplicatesName { // its images are in one of the others
				out.Images += lost
			}
			out.Lists[name] = want
			lists[name], doc.Lists[name] = kept, digest.Bytes(kept)
		}
	}
	doc.Forgotten += out.Images
	classes := t.Classes(doc.Classes)
	doc.renamed = !slices.Equal(classes, doc.Classes)
	doc.Classes = classes
	gone := func(id string) bool { return t.Has(id) }
	doc.Untrained, doc.Dropped = slices.DeleteFunc(doc.Untrained, gone), slices.DeleteFunc(doc.Dropped, gone)
	if out.Images == 0 {
		return lists, nil
	}
	n := &doc.Counts
	for p, to := range map[Part]*int{Train: &n.Train, Val: &n.Val, Test: &n.Test, Excluded: &n.Excluded} {
		*to = left[fileName(p)]
	}
	for p, to := range map[Part]*int{Train: &n.TrainIdentities, Val: &n.ValIdentities, Test: &n.TestIdentities} {
		if *to > 0 { // of a data set without identities there are none
			*to = len(identities[fileName(p)])
		}
	}
	return lists, nil
}

func readList(dir, name string) ([]byte, error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return nil, fmt.Errorf("%s: list %q is not in the split's directory: %w", dir, name, ErrCorrupt)
	}
	return readCapped(filepath.Join(dir, name), maxList)
}

// forgottenTwin is why an image is excluded whose twin is forgotten.
const forgottenTwin = duplicateReason + "a forgotten image"

// filterList returns the lines of a list without those of images that are to go, and how many these
// are; stays is told of the others. A pair of duplicates goes with either image, and where an image is
// excluded as the duplicate of one that goes, the reason no longer names it. No name of an image
// has a line's end in it.
func filterList(name string, text []byte, gone func(key string) bool, stays func(key string)) (kept []byte, lost int, err error) {
	table := strings.HasSuffix(name, ".csv")
	kept = make([]byte, 0, len(text))
	for n := 1; len(text) > 0; n++ {
		line := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line = text[:end+1]
		}
		text = text[len(line):]
		key := strings.TrimSuffix(strings.TrimRight(string(line), "\r\n"), ".jpg")
		if table {
			if n == 1 { // the header
				kept = append(kept, line...)
				continue
			}
			row, err := csv.NewReader(bytes.NewReader(line)).Read()
			if err != nil {
				return nil, 0, fmt.Errorf("%d: %w: %w", n, err, ErrCorrupt)
			}
			key = row[0]
			if len(row) > 1 && name == duplicatesName && gone(row[1]) {
				lost++
				continue
			}
			if twin, ok := strings.CutPrefix(row[len(row)-1], duplicateReason); ok && gone(twin) && !gone(key) {
				line = fmt.Appendf(nil, "%s,%s\n", csvField(key), csvQuote(forgottenTwin))
			}
		}
		if gone(key) {
			lost++
			continue
		}
		if stays != nil {
			stays(key)
		}
		kept = append(kept, line...)
	}
	return kept, lost, nil
}

// marshal returns the text of split.json.
func (doc *document) marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	err := enc.Encode(doc)
	return b.Bytes(), err
}

// replaceAll gives a split's directory new lists and a new split.json. All are in one directory on the
// disk, named ready, before split.json goes; it comes back last.
func replaceAll(dir string, lists map[string][]byte, text []byte) error {
	fresh := filepath.Join(dir, newName)
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	for name, list := range lists {
		if err := atomicfile.Bytes(filepath.Join(fresh, name), list); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(filepath.Join(fresh, jsonName), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return err
	}
	if err := atomicfile.SyncDir(dir); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, jsonName)); err != nil {
		return err
	}
	return complete(dir)
}

// complete ends a replacement that was cut off: where split.json is only in the directory of new files, they
// are all there, or in their places already. A new directory without a part in that is removed.
func complete(dir string) error {
	fresh := filepath.Join(dir, newName)
	_, here := os.Stat(filepath.Join(dir, jsonName))
	_, there := os.Stat(filepath.Join(fresh, jsonName))
	if errors.Is(here, fs.ErrNotExist) && there == nil {
		entries, err := os.ReadDir(fresh)
		if err != nil {
			return err
		}
		slices.SortFunc(entries, func(a, b os.DirEntry) int { // split.json last
			return strings.Compare(order(a.Name()), order(b.Name()))
		})
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") { // a temporary file
				continue
			}
			if err := os.Rename(filepath.Join(fresh, e.Name()), filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
		if err := atomicfile.SyncDir(dir); err != nil {
			return err
		}
	}
	return os.RemoveAll(fresh)
}

func order(name string) string {
	if name == jsonName {
		return "\xff"
	}
	return name
}
