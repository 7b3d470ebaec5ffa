package split

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/rng"
)

const worlds = 25 // times 32 ways to split

func eachWorld(t *testing.T, name string, f func(t *testing.T, r *rng.Rand, w *world, o Options)) {
	for i := range worlds {
		for n, o := range everyWay(uint64(i)) {
			r := rng.Stream(uint64(i), name, n)
			f(t, r, randomWorld(r), o)
			if t.Failed() {
				t.Fatalf("world %d, %+v", i, o)
			}
		}
	}
}

// Whatever the lists say, no photo and no component of duplicates is in two parts, nothing that is
// connected with a test image trains or validates, and what is listed is nowhere.
func TestNothingLeaks(t *testing.T) {
	eachWorld(t, "leaks", func(t *testing.T, r *rng.Rand, w *world, o Options) {
		in := w.inputs(t)
		a := w.split(t, o, in)
		photo := map[manifest.ImageID]Part{}
		colour, where := w.components(o.Group == Photo), map[int]Part{}
		identities := map[string]Part{}
		for i, row := range a.Rows {
			if row.ID != w.records[i].ID {
				t.Errorf("row %d is %s, want %s", i, row.ID, w.records[i].ID)
			}
			_, img := in.Exclude.images[row.ID]
			_, who := in.Exclude.identities[row.ID.Identity]
			_, dead := in.Tombstones.images[row.ID]
			if out := strings.HasPrefix(row.Reason, "listed") || row.Reason == "forgotten"; out != (img || who || dead) || dead != (row.Reason == "forgotten") {
				t.Errorf("%s: reason %q, listed %v, forgotten %v", row.ID, row.Reason, img || who, dead)
			}
			if (row.Part == Excluded) != (row.Reason != "") {
				t.Errorf("%s is in %s with reason %q", row.ID, row.Part, row.Reason)
			}
			if row.Part == Excluded {
				continue
			}
			if test := w.records[i].Subset == manifest.Test; test != (row.Part == Test) {
				t.Errorf("%s of %s is in %s", row.ID, w.records[i].Subset, row.Part)
			}
			if c, ok := colour[row.ID]; ok {
				if p, ok := where[c]; ok && p != row.Part {
					t.Errorf("%s is in %s, a duplicate in %s", row.ID, row.Part, p)
				}
				where[c] = row.Part
			}
			head := row.ID
			head.Face = 0
			if p, ok := photo[head]; o.Group == Photo && ok && p != row.Part {
				t.Errorf("%s is in %s, another face in %s", row.ID, row.Part, p)
			}
			photo[head] = row.Part
			if p, ok := identities[row.ID.Identity]; o.wholeIdentities() && ok && p != row.Part {
				t.Errorf("%s is in %s, the identity in %s", row.ID, row.Part, p)
			}
			identities[row.ID.Identity] = row.Part
		}
	})
}

// An identity that comes, or images that one gains, move no image of an identity that shares no
// duplicates with it. What random drew stays even within the identity.
func TestGrowthMovesNoOther(t *testing.T) {
	eachWorld(t, "grow", func(t *testing.T, r *rng.Rand, w *world, o Options) {
		before := w.split(t, o, w.inputs(t))
		grown := w.clone()
		id := w.records[r.IntN(before.test)].ID.Identity
		if r.Bool(0.5) {
			id = fmt.Sprintf("n%06da", r.IntN(100)) // a new one, among those that are there
		}
		grown.images(r, id, manifest.Train, manifest.Female, 100, 1+r.IntN(9))
		grown.sort()
		after := grown.split(t, o, w.inputs(t))

		colour, linked, shared := w.components(o.Group == Photo), map[int]bool{}, map[string]bool{id: true}
		for i := range w.records {
			if c, ok := colour[w.records[i].ID]; ok && w.records[i].ID.Identity == id {
				linked[c] = true
			}
		}
		for i := range w.records {
			if c, ok := colour[w.records[i].ID]; ok && linked[c] {
				shared[w.records[i].ID.Identity] = true
			}
		}
		now := map[manifest.ImageID]Row{}
		for _, row := range after.Rows {
			now[row.ID] = row
		}
		for _, row := range before.Rows {
			if got := now[row.ID]; !shared[row.ID.Identity] && got != row {
				t.Errorf("%s grows and %s moves from %s to %s (%s)", id, row.ID, row.Part, got.Part, got.Reason)
			}
		}
	})
}

// Random moves nothing at all, be it that a photo gains the face that comes first.
func TestRandomGrowsInPlace(t *testing.T) {
	for i := range worlds {
		r := rng.Stream(uint64(i), "in place")
		w := randomWorld(r)
		less := w.clone()
		less.records = slices.DeleteFunc(less.records, func(manifest.Record) bool { return r.Bool(0.3) })
		for _, group := range []string{"", Photo} {
			o := Options{Strategy: Random, Ratio: 0.3, Seed: uint64(i), Group: group}
			where := map[manifest.ImageID]Part{}
			for _, row := range w.split(t, o, Inputs{}).Rows {
				where[row.ID] = row.Part
			}
			for _, row := range less.split(t, o, Inputs{}).Rows {
				if where[row.ID] != row.Part {
					t.Fatalf("%q: %s moves from %s to %s", group, row.ID, row.Part, where[row.ID])
				}
			}
		}
	}
}

// What a list excludes is gone, and nothing outside its component moves.
func TestExclusionsMoveNobody(t *testing.T) {
	eachWorld(t, "exclude", func(t *testing.T, r *rng.Rand, w *world, o Options) {
		o.MinTrain = 0
		in := w.inputs(t)
		with := w.split(t, o, in)
		without := w.split(t, o, Inputs{Duplicates: in.Duplicates})
		colour, touched := w.components(o.Group == Photo), map[int]bool{}
		gone := func(row Row) bool {
			return row.Reason == forgottenReason || strings.HasPrefix(row.Reason, listedReason)
		}
		for _, row := range with.Rows {
			if c, ok := colour[row.ID]; ok && gone(row) {
				touched[c] = true
			}
		}
		for i, row := range with.Rows {
			if c, ok := colour[row.ID]; ok && touched[c] {
				continue
			}
			if !gone(row) && row != without.Rows[i] {
				t.Errorf("%s moves from %s to %s", row.ID, without.Rows[i].Part, row.Part)
			}
		}
	})
}

// The order of the manifest's records and of the lists' lines does not matter.
func TestOrderIsIrrelevant(t *testing.T) {
	for i := range 5 {
		r := rng.Stream(uint64(i), "order")
		w := randomWorld(r)
		dir := t.TempDir()
		read := func(name string, w *world) *manifest.Reader {
			path := filepath.Join(dir, name)
			if err := manifest.Write(path, &manifest.Manifest{Records: w.records}); err != nil {
				t.Fatal(err)
			}
			m, err := manifest.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			return m
		}
		other := w.clone()
		r.Shuffle(len(other.records), func(i, j int) {
			other.records[i], other.records[j] = other.records[j], other.records[i]
		})
		other.duplicates, other.exclude = slices.Clone(w.duplicates), slices.Clone(w.exclude)
		r.Shuffle(len(other.duplicates), func(i, j int) {
			other.duplicates[i], other.duplicates[j] = other.duplicates[j], other.duplicates[i]
		})
		for i, p := range other.duplicates {
			if a, b, _ := strings.Cut(p, ","); r.Bool(0.5) {
				other.duplicates[i] = b + "," + a
			}
		}
		slices.Reverse(other.exclude)
		m, n := read("a.parquet", w), read("b.parquet", other)
		for _, o := range everyWay(uint64(i)) {
			a, err := MakeWith(m, o, w.inputs(t))
			if err != nil {
				t.Fatal(err)
			}
			b, err := MakeWith(n, o, other.inputs(t))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a.Rows, b.Rows); d != "" || !slices.Equal(a.stars, b.stars) {
				t.Fatalf("%+v: another order, another split:\n%s", o, d)
			}
		}
	}
}

// One core and many write the same bytes, and check finds nothing.
func TestSameBytesOnManyCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	w := randomWorld(rng.Stream(4, "cores"))
	path := filepath.Join(t.TempDir(), "m.parquet")
	if err := manifest.Write(path, &manifest.Manifest{Records: w.records}); err != nil {
		t.Fatal(err)
	}
	for n, o := range everyWay(5) {
		var first map[string]string
		for _, cores := range []int{1, 8} {
			runtime.GOMAXPROCS(cores)
			m, err := manifest.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			a, err := MakeWith(m, o, w.inputs(t))
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
			if err := a.Write(dir); err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			names, _ := filepath.Glob(filepath.Join(dir, "*.*"))
			for _, name := range names {
				b, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				files[filepath.Base(name)] = string(b)
			}
			if first == nil {
				first = files
			}
			if d := cmp.Diff(first, files); d != "" || len(files) < 6 {
				t.Fatalf("%+v on %d cores, %d files:\n%s", o, cores, len(files), d)
			}
			for _, in := range []Inputs{{}, w.inputs(t)} {
				if cores == 1 {
					continue
				}
				if rep, err := CheckWith(dir, m, in); err != nil || len(rep.Problems) > 0 {
					t.Fatalf("%+v: check: %v, %+v", o, err, rep)
				}
			}
		}
	}
}

// Each image that is not excluded validates in one fold, what is excluded is so in all, and folds by
// images have the same classes where every identity has to train.
func TestFoldsPartition(t *testing.T) {
	eachWorld(t, "folds", func(t *testing.T, r *rng.Rand, w *world, o Options) {
		if o.Strategy != KFold {
			return
		}
		a := w.split(t, o, w.inputs(t))
		val := make([]int, len(a.Rows))
		for i := range o.Folds {
			o.Fold = i
			f := a.Fold(i)
			if d := cmp.Diff(w.split(t, o, w.inputs(t)).Rows, f.Rows); d != "" {
				t.Errorf("fold %d made by itself (-) and of all (+):\n%s", i, d)
			}
			for j, row := range f.Rows {
				if row.Part == Val {
					val[j]++
				}
				if (row.Part == Excluded) != (a.Rows[j].Part == Excluded) {
					t.Errorf("%s is in %s of fold %d, in %s of %d", row.ID, row.Part, i, a.Rows[j].Part, a.Options.Fold)
				}
			}
			if o.FoldBy == FoldImages && o.MinTrain > 0 && !slices.Equal(f.Classes, a.Classes) {
				t.Errorf("fold %d has other classes", i)
			}
		}
		for i, row := range a.Rows {
			want := 1
			if row.Part == Test || row.Part == Excluded {
				want = 0
			}
			if val[i] != want {
				t.Errorf("%s validates in %d folds, want %d", row.ID, val[i], want)
			}
		}
	})
}

// Of ratio and k-fold by images, each identity's part of a stratum is its share, rounded up or down,
// and so is its part of all its images; with groups in photos.
func TestStrataGetTheirShare(t *testing.T) {
	eachWorld(t, "shares", func(t *testing.T, r *rng.Rand, w *world, o Options) {
		if o.wholeIdentities() || o.Strategy == FirstN || o.Strategy == Random {
			return
		}
		o.MinTrain = 0
		a := w.split(t, o, Inputs{})
		type key struct {
			id      string
			stratum uint8
		}
		units, cell := map[key]float64{}, map[key]*[maxFolds]float64{}
		total, totals := map[string]float64{}, map[string]*[maxFolds]float64{}
		for i, row := range a.Rows {
			if row.Part == Test || o.Group == Photo && i > 0 && samePhoto(row.ID, a.Rows[i-1].ID) {
				continue
			}
			k := key{id: row.ID.Identity}
			if o.Stratify != 0 {
				k.stratum = a.strata[i]
			}
			if cell[k] == nil {
				cell[k] = &[maxFolds]float64{}
			}
			if totals[k.id] == nil {
				totals[k.id] = &[maxFolds]float64{}
			}
			units[k]++
			total[k.id]++
			cell[k][a.cells[i]]++
			totals[k.id][a.cells[i]]++
		}
		check := func(what string, n, got, share float64) {
			if math.Abs(got-n*share) >= 1-1e-9 {
				t.Errorf("%s: %v of %v units validate, want %.2f rounded up or down", what, got, n, n*share)
			}
		}
		for id, n := range total {
			if o.Strategy == KFold {
				for f := range o.Folds {
					check(id, n, totals[id][f], 1/float64(o.Folds))
				}
				continue
			}
			want := math.Floor(n*o.Ratio + 0.5)
			want = max(min(1, n-1), min(want, n-1))
			if totals[id][1] != want {
				t.Errorf("%s: %v of %v units validate, want %v", id, totals[id][1], n, want)
			}
		}
		if o.Stratify == 0 {
			return
		}
		for k, n := range units {
			if o.Strategy == KFold {
				for f := range o.Folds {
					check(fmt.Sprint(k), n, cell[k][f], 1/float64(o.Folds))
				}
			} else {
				check(fmt.Sprint(k), n, cell[k][1], totals[k.id][1]/total[k.id])
			}
		}
	})
}

// Where each identity or image is drawn for itself the shares of strata are right on average: within
// five standard deviations.
func TestSharesOnAverage(t *testing.T) {
	r := rng.Stream(3, "average")
	w := &world{}
	for i := range 2000 {
		w.images(r, fmt.Sprintf("n%06d", i), manifest.Train, manifest.Gender(i%2), 1, 1)
	}
	w.sort()
	for _, o := range []Options{
		{Strategy: Random, Ratio: 0.2, Seed: 9},
		{Strategy: ByIdentity, Ratio: 0.2, Seed: 9},
		{Strategy: KFold, Folds: 5, FoldBy: FoldIdentities, Seed: 9},
		{Strategy: KFold, Folds: 5, FoldBy: FoldImages, Seed: 9},
	} {
		o.Stratify, o.Group = Gender|Pose, Photo
		strata := w.split(t, o, Inputs{}).Counts().Strata
		if len(strata) != 8 {
			t.Errorf("%s: %d strata, want 8: %v", o.Strategy, len(strata), strata)
		}
		for _, s := range strata {
			n := float64(s.Train+s.Val) / 1.5 // two faces of a photo are one draw
			if d := math.Abs(float64(s.Val)/float64(s.Train+s.Val) - 0.2); d > 5*math.Sqrt(0.16/n) {
				t.Errorf("%s: %+v, want a fifth in val", o.Strategy, s)
			}
		}
	}
}
