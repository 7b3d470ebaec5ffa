package curate

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/atomicfile"
	"github.com/vf2prep/vf2prep/internal/digest"
	"github.com/vf2prep/vf2prep/internal/lockfile"
	"github.com/vf2prep/vf2prep/internal/names"
	"github.com/vf2prep/vf2prep/internal/progress"
)

// LeakOptions say what a data set is held against: the people of a benchmark, its images, or both.
type LeakOptions struct {
	Names   map[string]string // of the data set's identities, by id
	Against []string          // names of the benchmark's people; nil: none

	Data   DuplicateOptions // the data set's images, and the bounds; Out and Sheet are not read
	Images string           // folder of the benchmark's images; "": none

	Out      string
	Progress progress.Reporter
}

// How a leak was found.
const (
	SameName  = "name"  // the same name in some spelling: case, accents, blanks
	SameWords = "words" // the same words in another order, or with other punctuation
	SameImage = "image"
)

// Leak is a person or an image that the benchmark has too.
type Leak struct {
	Kind       string
	What       string // identity or key
	Name       string // the identity's
	Benchmark  string // its name, or its image's path
	Distance   int    // of images, bits
	Difference float64
}

// Leaks is what was found; it is written as leaks.json.
type Leaks struct {
	Source string `json:"source,omitempty"` // digest of the data set's images
	People string `json:"people,omitempty"` // digest of the benchmark's names

	Identities int `json:"identities"` // with a name, that were looked for
	Against    int `json:"benchmark_people"`
	Names      int `json:"same_name"`
	Words      int `json:"same_words"`

	Images          int `json:"images"`
	BenchmarkImages int `json:"benchmark_images"`
	Rejected        int `json:"rejected"` // images of either that can't be decoded
	SameImages      int `json:"same_images"`

	List []Leak `json:"-"`
}

const (
	leaksCSV   = "leaks.csv"
	leaksJSON  = "leaks.json"
	excludeTxt = "exclude.txt"
)

// FindLeaks compares a data set's people with a benchmark's by name, and its images with the benchmark's
// by what they show. It writes leaks.csv, leaks.json and exclude.txt, which split make and eval take.
func FindLeaks(ctx context.Context, o LeakOptions) (*Leaks, error) {
	o.Progress = progress.Or(o.Progress)
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	release, err := lockfile.Acquire(filepath.Join(o.Out, lockName))
	if err != nil {
		return nil, err
	}
	defer release()
	l := &Leaks{}
	if o.Against != nil {
		l.byName(o)
	}
	if o.Images != "" {
		if err := l.byImage(ctx, o); err != nil {
			return nil, err
		}
	}
	return l, l.write(o.Out)
}

func (l *Leaks) byName(o LeakOptions) {
	same, words := map[string]string{}, map[string]string{}
	for _, n := range o.Against { // of several spellings the first counts
		if _, ok := same[names.Canonical(n)]; !ok {
			same[names.Canonical(n)] = n
		}
		if _, ok := words[names.Words(n)]; !ok {
			words[names.Words(n)] = n
		}
	}
	l.Identities, l.Against = len(o.Names), len(o.Against)
	l.People = digest.Bytes([]byte(strings.Join(o.Against, "\n")))
	for id, name := range o.Names {
		if theirs, ok := same[names.Canonical(name)]; ok {
			l.Names++
			l.List = append(l.List, Leak{Kind: SameName, What: id, Name: name, Benchmark: theirs})
		} else if theirs, ok := words[names.Words(name)]; ok && names.Words(name) != "" {
			l.Words++
			l.List = append(l.List, Leak{Kind: SameWords, What: id, Name: name, Benchmark: theirs})
		}
	}
	rank := map[string]int{SameName: 0, SameWords: 1}
	slices.SortFunc(l.List, func(a, b Leak) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.What, b.What))
	})
}

func (l *Leaks) byImage(ctx context.Context, o LeakOptions) error {
	ours, err := picturesOf(o.Data)
	if err != nil {
		return err
	}
	theirs, err := newFolderPictures(o.Images)
	if err != nil {
		return err
	}
	defer theirs.root.Close()
	if ours.len() == 0 || theirs.len() == 0 {
		return errors.New("no image to compare")
	}
	both := &joined{ours, theirs}
	h, err := hashAll(ctx, both, filepath.Join(o.Out, hashesName), o.Progress)
	if err != nil {
		return err
	}
	d := &Duplicates{Distance: o.Data.Distance, Difference: o.Data.Difference}
	pairs, err := d.between(h, ours.len())
	if err != nil {
		return err
	}
	if err := d.compare(ctx, both, h, pairs, o.Progress); err != nil {
		return err
	}
	l.Source, l.Images, l.BenchmarkImages, l.Rejected, l.SameImages = ours.digest(), ours.len(), theirs.len(), len(h.rejected), len(d.List)
	for _, x := range d.List {
		l.List = append(l.List, Leak{Kind: SameImage, What: x.A, Name: o.Names[identity(x.A)], Benchmark: x.B, Distance: x.Distance, Difference: x.Difference})
	}
	return nil
}

// between lists the pairs of an image below a place in the list and one from there on.
func (d *Duplicates) between(h *hashed, from int) ([]pairOf, error) {
	unique, places := collapse(h.near, func(i int) bool { _, bad := h.rejected[i]; return bad })
	found, err := Search(unique, d.Distance, maxCandidates)
	if err != nil {
		return nil, err
	}
	var pairs []pairOf
	cross := func(a, b []uint32, distance int) error {
		k, _ := slices.BinarySearch(a, uint32(from))
		n, _ := slices.BinarySearch(b, uint32(from))
		for _, i := range a[:k] {
			for _, j := range b[n:] {
				pairs = append(pairs, pairOf{int(i), int(j), distance})
			}
			if len(pairs) > maxCandidates {
				return &ErrTooMany{maxCandidates}
			}
		}
		return nil
	}
	for _, p := range places {
		if err := cross(p, p, 0); err != nil {
			return nil, err
		}
	}
	for _, n := range found {
		a, b := places[n.A], places[n.B]
		if err := errors.Join(cross(a, b, int(n.Distance)), cross(b, a, int(n.Distance))); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(pairs, func(x, y pairOf) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) })
	return pairs, nil
}

// newFolderPictures lists the JPEGs below a folder; a key is a path.
func newFolderPictures(dir string) (*photoPictures, error) {
	list, err := eval.ListImages(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	p := &photoPictures{root: root, from: digest.Bytes([]byte(strings.Join(list, "\n"))), paths: map[int]string{}}
	for i, path := range list {
		p.keys, p.parts = append(p.keys, path), append(p.parts, "benchmark")
		p.paths[i] = path
	}
	return p, nil
}

// joined is two lists one behind the other.
type joined struct{ first, second pictures }

func (j *joined) of(i int) (pictures, int) {
	if n := j.first.len(); i >= n {
		return j.second, i - n
	}
	return j.first, i
}

func (j *joined) digest() string    { return digest.Bytes([]byte(j.first.digest() + j.second.digest())) }
func (j *joined) len() int          { return j.first.len() + j.second.len() }
func (j *joined) key(i int) string  { p, k := j.of(i); return p.key(k) }
func (j *joined) part(i int) string { p, k := j.of(i); return p.part(k) }
func (j *joined) shrink(i int, t *thumb) (uint64, error) {
	p, k := j.of(i)
	return p.shrink(k, t)
}
func (j *joined) show(i int) (image.Image, error) {
	p, k := j.of(i)
	return p.show(k)
}

func (l *Leaks) write(out string) error {
	err := atomicfile.Write(filepath.Join(out, leaksCSV), func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"kind", "what", "name", "benchmark", "distance", "difference"})
		for _, x := range l.List {
			distance, difference := "", ""
			if x.Kind == SameImage {
				distance, difference = strconv.Itoa(x.Distance), fmt.Sprintf("%.3f", x.Difference)
			}
			c.Write([]string{x.Kind, x.What, x.Name, x.Benchmark, distance, difference})
		}
		c.Flush()
		return c.Error()
	})
	if err != nil {
		return err
	}
	err = atomicfile.Write(filepath.Join(out, excludeTxt), func(w io.Writer) error {
		seen := map[string]bool{}
		for _, x := range l.List {
			if seen[x.What] {
				continue
			}
			seen[x.What] = true
			if _, err := fmt.Fprintf(w, "%s # leak: %s %s\n", x.What, x.Kind, strings.Join(strings.Fields(x.Benchmark), " ")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Bytes(filepath.Join(out, leaksJSON), append(text, '\n'))
}

// Print says in a few lines what was found.
func (l *Leaks) Print(w io.Writer) {
	if l.Against > 0 {
		fmt.Fprintf(w, "people     %d of %d identities with a name: %d by name, %d by the words of it; the benchmark has %d\n", l.Names+l.Words, l.Identities, l.Names, l.Words, l.Against)
	}
	if l.BenchmarkImages > 0 {
		fmt.Fprintf(w, "images     %d pairs of %d images and the benchmark's %d; %d rejected\n", l.SameImages, l.Images, l.BenchmarkImages, l.Rejected)
	}
}
