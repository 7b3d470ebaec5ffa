package split

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/face"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

// world is a random manifest with random lists.
type world struct {
	records    []manifest.Record // sorted
	duplicates []string          // "a,b" of each pair
	exclude    []string
	tombstones []string
}

func randomWorld(r *rng.Rand) *world {
	w := &world{}
	for i := range 3 + r.IntN(12) {
		w.person(r, fmt.Sprintf("n%06d", 1+i*7+r.IntN(7)), manifest.Train)
	}
	for i := range r.IntN(4) {
		w.person(r, fmt.Sprintf("n%06d", 500+i), manifest.Test)
	}
	w.sort()
	for range r.IntN(len(w.records)) {
		w.duplicates = append(w.duplicates, w.some(r)+","+w.some(r))
	}
	for range r.IntN(5) {
		w.exclude = append(w.exclude, w.some(r))
		w.tombstones = append(w.tombstones, w.some(r)+",2026-01-02,asked")
	}
	if r.Bool(0.3) {
		w.exclude = append(w.exclude, strings.Split(w.some(r), "/")[0])
	}
	return w
}

// person adds images of one identity, some of them faces of one photo.
func (w *world) person(r *rng.Rand, id string, subset manifest.Subset) {
	gender := manifest.Gender(r.IntN(3) - 1)
	w.images(r, id, subset, gender, 1, 1+r.IntN(25))
}

func (w *world) images(r *rng.Rand, id string, subset manifest.Subset, gender manifest.Gender, from, n int) {
	for photo := from; photo < from+n; photo++ {
		for face := range 1 + max(0, r.IntN(6)-3) {
			rec := manifest.Record{
				ID: manifest.ImageID{Identity: id, Image: int32(photo), Face: int32(1 + face)}, Subset: subset,
				Gender: gender, Age: float32(r.IntN(4) * 11), HasLandmarks: r.Bool(0.9),
			}
			rec.Path = string(subset) + "/" + rec.ID.String() + ".jpg"
			if r.Bool(0.1) {
				rec.Age = float32(math.NaN())
			}
			rec.Landmarks = face5(r.Float64())
			w.records = append(w.records, rec)
		}
	}
}

// face5 has its nose at t between the eyes.
func face5(t float64) face.Landmarks {
	return face.Landmarks{{X: 10, Y: 10}, {X: 30, Y: 10}, {X: 10 + 20*t, Y: 22}, {X: 13, Y: 30}, {X: 27, Y: 30}}
}

func (w *world) sort() {
	slices.SortFunc(w.records, func(a, b manifest.Record) int {
		if c := strings.Compare(string(b.Subset), string(a.Subset)); c != 0 { // train before test
			return c
		}
		return a.ID.Compare(b.ID)
	})
}

func (w *world) some(r *rng.Rand) string { return w.records[r.IntN(len(w.records))].ID.String() }

func (w *world) all() iter.Seq2[*manifest.Record, error] {
	return func(yield func(*manifest.Record, error) bool) {
		for i := range w.records {
			if !yield(&w.records[i], nil) {
				return
			}
		}
	}
}

func (w *world) clone() *world {
	c := *w
	c.records = slices.Clone(w.records)
	return &c
}

// inputs reads the lists as if they were files.
func (w *world) inputs(t *testing.T) Inputs {
	t.Helper()
	in := Inputs{Exclude: newExclusions("exclude.txt"), Tombstones: newExclusions("t.csv"), Duplicates: newDuplicates("d.csv")}
	for _, err := range []error{
		parseExclusions(in.Exclude, strings.NewReader(strings.Join(w.exclude, "\n"))),
		parseTombstones(in.Tombstones, strings.NewReader("what,when,why\n"+strings.Join(w.tombstones, "\n"))),
		in.Duplicates.parse(strings.NewReader("a,b\n" + strings.Join(w.duplicates, "\n"))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func (w *world) split(t *testing.T, o Options, in Inputs) *Assignment {
	t.Helper()
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	a, err := assign(w.all(), "d", false, o, in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// everyWay is every strategy with and without groups and strata.
func everyWay(seed uint64) []Options {
	var out []Options
	for _, group := range []string{"", Photo} {
		for _, traits := range []Traits{0, Pose, Age | Gender | Pose} {
			for _, o := range []Options{
				{Strategy: FirstN, Val: 4},
				{Strategy: Ratio, Ratio: 0.3, Seed: seed},
				{Strategy: ByIdentity, Ratio: 0.3, Seed: seed},
				{Strategy: Random, Ratio: 0.3, Seed: seed},
				{Strategy: KFold, Folds: 4, Fold: 1, FoldBy: FoldImages, Seed: seed},
				{Strategy: KFold, Folds: 3, Fold: 2, FoldBy: FoldIdentities, Seed: seed},
			} {
				if o.Strategy == FirstN && traits != 0 {
					continue
				}
				o.Group, o.Stratify, o.MinTrain = group, traits, int(seed%3)
				out = append(out, o)
			}
		}
	}
	return out
}

// components are found the slow way: by painting over and over. It returns a colour of each image
// that is in a pair or, with photos, in a photo with one that is.
func (w *world) components(photos bool) map[manifest.ImageID]int {
	colour := map[manifest.ImageID]int{}
	var pairs [][2]manifest.ImageID
	for _, p := range w.duplicates {
		a, b, _ := strings.Cut(p, ",")
		x, _ := manifest.ParseImageID(a)
		y, _ := manifest.ParseImageID(b)
		pairs = append(pairs, [2]manifest.ImageID{x, y})
	}
	if photos {
		for i := 1; i < len(w.records); i++ {
			if a, b := w.records[i-1].ID, w.records[i].ID; samePhoto(a, b) {
				pairs = append(pairs, [2]manifest.ImageID{a, b})
			}
		}
	}
	for i, p := range pairs {
		colour[p[0]], colour[p[1]] = 2*i, 2*i+1
	}
	for changed := true; changed; {
		changed = false
		for _, p := range pairs {
			if c := min(colour[p[0]], colour[p[1]]); colour[p[0]] != c || colour[p[1]] != c {
				colour[p[0]], colour[p[1]], changed = c, c, true
			}
		}
	}
	return colour
}
