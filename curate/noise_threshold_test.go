package curate

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// The best cut of a few values, by trying all.
func TestCutShareEqualsBruteForce(t *testing.T) {
	r := rng.Stream(1, "cut")
	for range 200 {
		x := make([]float64, 2*partImages+r.IntN(20))
		for i := range x {
			x[i] = r.Norm() + float64(3*r.IntN(2))
		}
		slices.Sort(x)
		spread := func(v []float64) float64 {
			mean, s := 0.0, 0.0
			for _, f := range v {
				mean += f / float64(len(v))
			}
			for _, f := range v {
				s += (f - mean) * (f - mean)
			}
			return s
		}
		want := math.Inf(1)
		for k := partImages; k <= len(x)-partImages; k++ {
			want = min(want, (spread(x[:k])+spread(x[k:]))/spread(x))
		}
		if got := cutShare(x); math.Abs(got-want) > 1e-9 {
			t.Fatalf("cutShare(%v) = %v, want %v", x, got, want)
		}
	}
}

// Of one normal distribution p is about uniform: honest for small n and for large.
func TestPartsByChanceIsHonest(t *testing.T) {
	for _, n := range []int{6, 12, 40, 90} {
		const sets = 120
		have := make([]parting, sets)
		for s := range have {
			r := rng.Stream(2, "honest", n, s)
			v := vectors{width: 24}
			for range n {
				for range v.width {
					v.data = append(v.data, float32(r.Norm()))
				}
			}
			have[s] = howParted(v, 1, id(s))
		}
		small := 0
		for _, p := range partsByChance(have, 1) {
			if p <= 0.05 {
				small++
			}
		}
		// 6 are expected; more than 14 come once in a thousand.
		if small > 14 {
			t.Errorf("%d images: %d of %d p-values are at most 0.05", n, small, sets)
		}
	}
}

func TestNormalQuantile(t *testing.T) {
	for q, want := range map[float64]float64{0.5: 0, 0.75: 0.6744898, 0.95: 1.6448536, 0.99: 2.3263479, 0.999: 3.0902323} {
		if got := normalQuantile(q); math.Abs(got-want) > 1e-6 {
			t.Errorf("normalQuantile(%v) = %v, want %v", q, got, want)
		}
	}
}

// Of a mixture of known shares the threshold keeps its word.
func TestLowTailKeepsFalseAlarms(t *testing.T) {
	for _, foreign := range []int{0, 5, 50, 500} {
		r := rng.Stream(3, "tail", foreign)
		var found, known, bad []float64
		for range 5000 {
			found = append(found, 5+r.Norm())
		}
		for range foreign {
			x := r.Norm()
			found, bad = append(found, x), append(bad, x)
		}
		for range 20_000 {
			known = append(known, r.Norm())
		}
		for _, v := range [][]float64{found, known, bad} {
			slices.Sort(v)
		}
		o := lowTail(found, known, knownStrangers, 0.1)
		if foreign == 0 {
			if o.Flagged != 0 {
				t.Errorf("nothing foreign: %v", o)
			}
			continue
		}
		hits := countBelow(bad, *o.Value)
		// The bound holds for the upper limit of the foreign ones, which is 1/sqrt(foreign) or so above their number.
		wrong := float64(o.Flagged-hits) / float64(o.Flagged)
		if wrong > 0.1+1.5/math.Sqrt(float64(foreign)) || math.Abs(wrong-*o.FalseAlarms) > 0.1+0.5/math.Sqrt(float64(foreign)) || float64(hits) < 0.9*float64(foreign) {
			t.Errorf("%d foreign: %v: %d of them found, %.3f false alarms", foreign, o, hits, wrong)
		}
	}
	if o := lowTail([]float64{1, 2}, make([]float64, leastKnown-1), knownStrangers, 0.1); o.Value != nil || o.Source != "too few identities" {
		t.Errorf("few known: %v", o)
	}
}

func TestStepUpEqualsDefinition(t *testing.T) {
	r := rng.Stream(4, "step-up")
	for range 50 {
		var found, usual []float64
		for range 500 {
			usual = append(usual, r.Norm())
		}
		for range 1 + r.IntN(30) {
			found = append(found, r.Norm()+float64(4*r.IntN(2)))
		}
		o := stepUp(found, usual, 0.1)
		want := 0
		for _, x := range found { // the largest set, all of whose values reach x, that passes
			reach, beyond := 0, 0
			for _, u := range usual {
				if u >= x {
					reach++
				}
			}
			for _, y := range found {
				if y >= x {
					beyond++
				}
			}
			if p := float64(reach+1) / 501; p*float64(len(found))/float64(beyond) <= 0.1 {
				want = max(want, beyond)
			}
		}
		if o.Flagged != want {
			t.Fatalf("%v, want %d flagged", o, want)
		}
	}
}

// What is excluded is what is flagged, and of a pair one stays.
func TestExclude(t *testing.T) {
	dir := t.TempDir()
	n := &noise{NoiseOptions: NoiseOptions{Out: dir, Exclude: []string{Split, Outliers, Merged}}, r: &NoiseResult{
		outliers:    []Image{{Key: "n2/0002_01", Flagged: true}, {Key: "n1/0001_01", Flagged: true}, {Key: "n3/0001_01"}},
		mislabelled: []Image{{Key: "n4/0001_01", Flagged: true}},
		merged:      []Merge{{Identity: "n5", Flagged: true}, {Identity: "n6"}},
		split: []Pair{
			{A: "n7", B: "n8", ImagesA: 3, ImagesB: 9, Flagged: true}, {A: "n8", B: "n9", ImagesA: 9, ImagesB: 9, Flagged: true},
			{A: "n5", B: "n10", Flagged: true}, {A: "n11", B: "n12"},
		},
	}}
	if err := n.exclude(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "exclude.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := "# outliers\nn1/0001_01\nn2/0002_01\n# merged\nn5\n# split\nn7\nn9\n"
	if string(b) != want || n.r.ExcludedImages != 2 || n.r.ExcludedIdentities != 3 {
		t.Errorf("%d images, %d identities:\n%swant:\n%s", n.r.ExcludedImages, n.r.ExcludedIdentities, b, want)
	}
}

func TestNoiseInterrupted(t *testing.T) {
	dir := t.TempDir()
	path := draw(6, 8, 0.4, 1).save(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindNoise(ctx, options(path, filepath.Join(dir, "out"))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
		t.Error("an interrupted search left files")
	}
	bad := strings.Replace(path, ".npy", ".keys.txt", 1)
	if _, err := FindNoise(context.Background(), options(bad, dir)); err == nil {
		t.Error("keys were read as embeddings")
	}
}
