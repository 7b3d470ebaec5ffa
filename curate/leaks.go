package curate

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

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
	Differs    string // in what the names do, "" for the same; see names.Differs
	Distance   int    // of images, bits
	Difference float64
}

// Leaks is what was found; it is written as leaks.json.
type Leaks struct {
	Inputs map[string]string `json:"inputs"` // digests of what was compared

	Identities int `json:"identities"` // with a name, that were looked for
	Against    int `json:"benchmark_people"`
	Names      int `json:"same_name"`
	Spelled    int `json:"same_name_spelled_otherwise"` // of these: case, accents
	Words      int `json:"same_words"`

	Images          int `json:"images"`
	BenchmarkImages int `json:"benchmark_images"`
	Rejected        int `json:"rejected"`    // images of either that can't be decoded
	SameImages      int `json:"same_images"` // pairs
	Crowded         int `json:"crowded"`     // images that were not compared with all of their hash; see Duplicates

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
	l := &Leaks{Inputs: map[string]string{}}
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
	same, words := map[string][]string{}, map[string][]string{}
	for _, n := range o.Against {
		same[names.Canonical(n)] = append(same[names.Canonical(n)], n)
		words[names.Words(n)] = append(words[names.Words(n)], n)
	}
	l.Identities, l.Against = len(o.Names), len(o.Against)
	l.Inputs["benchmark_people"] = digest.Bytes([]byte(strings.Join(o.Against, "\n")))
	ours := digest.New()
	for _, id := range slices.Sorted(maps.Keys(o.Names)) {
		name := o.Names[id]
		fmt.Fprintf(ours, "%s\t%s\n", id, name)
		kind, theirs := SameName, same[names.Canonical(name)]
		if w := names.Words(name); theirs == nil && w != "" {
			kind, theirs = SameWords, words[w]
		}
		if theirs == nil {
			continue
		}
		x := Leak{Kind: kind, What: id, Name: name, Benchmark: theirs[0], Differs: names.Differs(name, theirs[0])}
		for _, n := range theirs { // of several spellings the same one says most, else the first
			if names.Differs(name, n) == "" {
				x.Benchmark, x.Differs = n, ""
			}
		}
		switch {
		case kind == SameWords:
			l.Words++
		case x.Differs != "":
			l.Spelled++
			fallthrough
		default:
			l.Names++
		}
		l.List = append(l.List, x)
	}
	l.Inputs["names"] = ours.String()
	rank := map[string]int{SameName: 0, SameWords: 1}
	slices.SortStableFunc(l.List, func(a, b Leak) int { return cmp.Compare(rank[a.Kind], rank[b.Kind]) })
}

func (l *Leaks) byImage(ctx context.Context, o LeakOptions) error {
	ours, err := picturesOf(o.Data)
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := newFolderPictures(o.Images)
	if err != nil {
		return err
	}
	defer theirs.close()
	if ours.len() == 0 || theirs.len() == 0 {
		return errors.New("no image to compare")
	}
	both := &joined{ours, theirs}
	h, err := hashAll(ctx, both, filepath.Join(o.Out, hashesName), o.Data.Hashes, o.Progress)
	if err != nil {
		return err
	}
	f := &finder{list: both, h: h, border: ours.len(), distance: o.Data.Distance, difference: o.Data.Difference, progress: o.Progress}
	if err := f.find(ctx); err != nil {
		return err
	}
	maps.Copy(l.Inputs, both.inputs())
	l.Images, l.BenchmarkImages, l.Rejected, l.SameImages, l.Crowded = ours.len(), theirs.len(), len(h.rejected), len(f.found), f.crowded
	for _, x := range f.found {
		l.List = append(l.List, Leak{Kind: SameImage, What: x.A, Name: o.Names[identity(x.A)], Benchmark: x.B, Distance: x.Distance, Difference: x.Difference})
	}
	return nil
}

func (l *Leaks) write(out string) error {
	if err := remove(filepath.Join(out, leaksJSON)); err != nil {
		return err
	}
	err := atomicfile.Write(filepath.Join(out, leaksCSV), func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write([]string{"kind", "what", "name", "benchmark", "differs", "distance", "difference"})
		for _, x := range l.List {
			distance, difference := "", ""
			if x.Kind == SameImage {
				distance, difference = strconv.Itoa(x.Distance), fmt.Sprintf("%.3f", x.Difference)
			}
			c.Write([]string{x.Kind, x.What, x.Name, x.Benchmark, x.Differs, distance, difference})
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
		fmt.Fprintf(w, "people     %d of %d identities with a name: %d by name, %d of them spelled otherwise (case, accents); %d by the words of it alone; the benchmark has %d\n",
			l.Names+l.Words, l.Identities, l.Names, l.Spelled, l.Words, l.Against)
	}
	if l.BenchmarkImages > 0 {
		fmt.Fprintf(w, "images     %d pairs of %d images and the benchmark's %d; %d rejected\n", l.SameImages, l.Images, l.BenchmarkImages, l.Rejected)
		if l.Crowded > 0 {
			fmt.Fprintf(w, "crowded    %d images of a hash that very many have were compared with %d of these only\n", l.Crowded, mostLeaders)
		}
	}
}
