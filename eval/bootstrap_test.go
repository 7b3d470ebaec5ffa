package eval

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// golden_protocol.json was made by testdata/golden_protocol.py with scikit-learn.
type goldenProtocol struct {
	Cases []struct {
		People, Folds    int
		Balanced         bool
		A, B, Same, Fold []int
		Distance         []float64
		Accuracies       []float64
		Mean, Std        float64
		Draws            []float64
		Low, High        float64
		Samples          []struct {
			W       []int
			Numbers []float64
		}
	}
	U, V            [][]float32
	Cosine, Squared []float64
}

func readGolden(t *testing.T) (g goldenProtocol) {
	t.Helper()
	text, err := os.ReadFile("testdata/golden_protocol.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestFoldsAndResampledPeopleEqualScikitLearn(t *testing.T) {
	const tol = 1e-9
	for n, c := range readGolden(t).Cases {
		folds := make([]Fold, c.Folds)
		var pairs []measured
		for i, d := range c.Distance {
			pairs = append(pairs, measured{d, weighed{a: int32(c.A[i]), b: int32(c.B[i]), fold: int16(c.Fold[i]), genuine: c.Same[i] == 1}})
			if k := c.Fold[i]; k >= 0 {
				if c.Same[i] == 1 {
					folds[k].Genuine = append(folds[k].Genuine, d)
				} else {
					folds[k].Impostor = append(folds[k].Impostor, d)
				}
			}
		}
		h, err := HoldOut(folds, c.Balanced)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Accuracies) != len(c.Accuracies) || math.Abs(h.Accuracy-c.Mean) > tol || math.Abs(h.AccuracyStd-c.Std) > tol {
			t.Errorf("case %d: accuracy %v ± %v over %d folds, want %v ± %v over %d", n, h.Accuracy, h.AccuracyStd, len(h.Accuracies), c.Mean, c.Std, len(c.Accuracies))
		}
		b := newBootstrap(pairs, c.People, c.Folds, nil, c.Balanced, squaredGrid, 1)
		counts := make([]foldCounts, b.folds)
		for k, s := range c.Samples {
			got, ok := b.sample(s.W, counts)
			if !ok {
				t.Fatalf("case %d, sample %d gives no number", n, k)
			}
			for j, want := range s.Numbers {
				if math.Abs(got[j]-want) > tol {
					t.Errorf("case %d, sample %d: number %d = %v, want %v", n, k, j, got[j], want)
				}
			}
		}
		slices.Sort(c.Draws)
		if low, high := quantileOf(c.Draws, 0.025), quantileOf(c.Draws, 0.975); math.Abs(low-c.Low) > tol || math.Abs(high-c.High) > tol {
			t.Errorf("case %d: percentiles %v and %v, want %v and %v", n, low, high, c.Low, c.High)
		}
	}
}

func TestMetricsEqualNumPy(t *testing.T) {
	g := readGolden(t)
	for i := range g.U {
		if got := cosineDistance(g.U[i], g.V[i]); math.Abs(got-g.Cosine[i]) > 1e-9 || got < 0 {
			t.Errorf("cosine distance %d = %v, want %v", i, got, g.Cosine[i])
		}
		// The difference of two float32 is rounded to one: 2^-24 of it.
		if got := squaredDistance(g.U[i], g.V[i]); math.Abs(got-g.Squared[i]) > 1e-6*g.Squared[i] {
			t.Errorf("squared distance %d = %v, want %v", i, got, g.Squared[i])
		}
	}
}

// The twin writes every pair down as often as it counts and judges the list as if it were data.
func TestResamplingEqualsWritingPairsDown(t *testing.T) {
	r := rng.Stream(5, "bootstrap")
	for k := range 120 {
		people, nFolds := 3+r.IntN(10), 1+r.IntN(4)
		var pairs []measured
		for range 4 + r.IntN(120) {
			p := measured{distance: math.Round(r.Between(0, 2.5)*16) / 16}
			if k%3 == 0 {
				p.distance = r.Between(0, 2.5)
			}
			p.a, p.b = int32(r.IntN(people)), int32(r.IntN(people))
			p.fold, p.genuine = int16(r.IntN(nFolds+1)-1), r.Bool(0.4)
			if p.genuine {
				p.b = p.a
			}
			pairs = append(pairs, p)
		}
		var development *Fold
		if k%4 == 0 {
			development = &Fold{distances(r, 20, 0.9, true), distances(r, 30, 1.5, true)}
		}
		given := slices.Clone(pairs)
		b := newBootstrap(pairs, people, nFolds, development, k%2 == 0, squaredGrid, uint64(k))
		counts := make([]foldCounts, b.folds)
		whole := true // no fold has both kinds
		for f := range nFolds {
			has := [2]bool{}
			for _, p := range given {
				if int(p.fold) == f {
					has[b2i(p.genuine)] = true
				}
			}
			whole = whole && has != [2]bool{true, true}
		}
		for draw := range 4 {
			w := b.draw(draw)
			total := 0
			for _, n := range w {
				total += n
			}
			if total != people {
				t.Fatalf("%d people drawn, want %d", total, people)
			}
			folds := make([]Fold, nFolds)
			var g, i []float64
			for _, p := range given {
				times := w[p.a] * w[p.b]
				if p.a == p.b {
					times = w[p.a]
				}
				for range times {
					list, of := &i, func(f *Fold) *[]float64 { return &f.Impostor }
					if p.genuine {
						list, of = &g, func(f *Fold) *[]float64 { return &f.Genuine }
					}
					*list = append(*list, p.distance)
					if at := int(p.fold); at >= 0 && !whole {
						*of(&folds[at]) = append(*of(&folds[at]), p.distance)
					}
				}
			}
			if whole {
				folds = []Fold{{slices.Clone(g), slices.Clone(i)}}
			}
			got, ok := b.sample(w, counts)
			h, err := holdOut(folds, development, k%2 == 0, squaredGrid)
			if ok != (err == nil && len(g) > 0 && len(i) > 0) {
				t.Fatalf("case %d: numbers: %v, want %v (%v)", k, ok, !ok, err)
			}
			if !ok {
				continue
			}
			roc, err := NewROC(g, i)
			if err != nil {
				t.Fatal(err)
			}
			eer, _ := roc.EER()
			want := bootNumbers{h.Accuracy, roc.AUC(), eer}
			for j := range 6 {
				rate := roc.TARAtFAR(math.Pow10(-j - 1))
				want[3+j] = rate.TAR
				if !rate.Reachable { // below one pair: what is accepted before the first impostor
					first := slices.Min(i)
					want[3+j] = shareBelow(g, first)
				}
			}
			for j := range want {
				if math.Abs(got[j]-want[j]) > 1e-9 {
					t.Errorf("case %d, draw %d: number %d = %v, want %v", k, draw, j, got[j], want[j])
				}
			}
		}
	}
}

func TestIntervalsHoldTheTruthAndDependOnTheSeedAlone(t *testing.T) {
	r := rng.Stream(8, "intervals")
	var pairs []measured
	for k := range 40 {
		for range 6 {
			pairs = append(pairs, measured{math.Max(0, 1+0.3*r.Norm()), weighed{a: int32(k), b: int32(k), fold: int16(k % 10), genuine: true}})
		}
		for range 20 {
			l := (k + 10*(1+r.IntN(3))) % 40
			pairs = append(pairs, measured{math.Max(0, 1.6+0.3*r.Norm()), weighed{a: int32(k), b: int32(l), fold: int16(k % 10)}})
		}
	}
	rates := make([]Rate, 6)
	rates[0].Reachable, rates[1].Reachable = true, true
	run := func(seed uint64) Intervals {
		b := newBootstrap(slices.Clone(pairs), 40, 10, nil, true, squaredGrid, seed)
		x, err := b.intervals(context.Background(), 300, rates, progress.Or(nil))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := run(1)
	if x.Used != 300 || x.Identities != 40 || x.TAR3Low != nil || x.TAR1Low == nil {
		t.Errorf("intervals %+v", x)
	}
	// Two normal distributions 0.6 apart with deviation 0.3: AUC = Phi(0.6 / (0.3 sqrt 2)) = 0.921.
	if !(*x.AUCLow < 0.921 && 0.921 < *x.AUCHigh && *x.AUCHigh-*x.AUCLow < 0.1) {
		t.Errorf("AUC from %v to %v, want an interval around 0.921", *x.AUCLow, *x.AUCHigh)
	}
	if y := run(1); *y.EERLow != *x.EERLow || *y.AccuracyHigh != *x.AccuracyHigh {
		t.Error("one seed gives two intervals")
	}
	if y := run(2); *y.EERLow == *x.EERLow && *y.EERHigh == *x.EERHigh {
		t.Error("two seeds give one interval")
	}
}

func BenchmarkBootstrapSample(b *testing.B) {
	r := rng.Stream(1, "bench")
	pairs := make([]measured, 1<<20)
	for i := range pairs {
		k := int32(r.IntN(500))
		pairs[i] = measured{r.Between(0, 2), weighed{a: k, b: int32(r.IntN(500)), fold: int16(k % 10), genuine: i%50 == 0}}
	}
	boot := newBootstrap(pairs, 500, 10, nil, true, squaredGrid, 1)
	counts := make([]foldCounts, 10)
	b.ReportMetric(float64(len(pairs)), "pairs/op")
	for k := 0; b.Loop(); k++ {
		boot.sample(boot.draw(k), counts)
	}
}
