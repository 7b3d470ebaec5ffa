package eval

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// heldByHand does what HoldOut does with plain loops over thresholds and pairs.
func heldByHand(folds []Fold, balanced bool) (accuracies, vals, fars []float64) {
	accuracy := func(fs []Fold, t float64) float64 {
		tp, tn, ng, ni := 0, 0, 0, 0
		for _, f := range fs {
			tp += accepted(f.Genuine, t)
			tn += len(f.Impostor) - accepted(f.Impostor, t)
			ng, ni = ng+len(f.Genuine), ni+len(f.Impostor)
		}
		if balanced {
			return (float64(tp)/float64(ng) + float64(tn)/float64(ni)) / 2
		}
		return float64(tp+tn) / float64(ng+ni)
	}
	for k, f := range folds {
		train := slices.Concat(folds[:k], folds[k+1:])
		if len(folds) == 1 {
			train = folds
		}
		best, at := -1.0, 0.0
		for i := 0; i <= 400; i++ {
			if a := accuracy(train, float64(i)/100); a > best {
				best, at = a, float64(i)/100
			}
		}
		accuracies = append(accuracies, accuracy([]Fold{f}, at))
		var g, i []float64
		for _, o := range train {
			g, i = append(g, o.Genuine...), append(i, o.Impostor...)
		}
		// The largest threshold of all distances that keeps the FAR.
		bound := -1.0
		for _, t := range allThresholds(slices.Concat(g, f.Genuine, f.Impostor), i) {
			if float64(accepted(i, t)) <= 1e-3*float64(len(i))+1e-9 {
				bound = t
			}
		}
		vals = append(vals, float64(accepted(f.Genuine, bound))/float64(len(f.Genuine)))
		fars = append(fars, float64(accepted(f.Impostor, bound))/float64(len(f.Impostor)))
	}
	return accuracies, vals, fars
}

func TestHoldOutEqualsPlainLoops(t *testing.T) {
	r := rng.Stream(4, "folds")
	for k := range 12 {
		folds := make([]Fold, 1+r.IntN(6))
		for i := range folds {
			folds[i] = Fold{distances(r, 20+r.IntN(60), 0.8, k%2 == 0), distances(r, 300+r.IntN(900), 1.4, k%2 == 0)}
		}
		for _, balanced := range []bool{false, true} {
			got, err := HoldOut(folds, balanced)
			if err != nil {
				t.Fatal(err)
			}
			accuracies, vals, fars := heldByHand(folds, balanced)
			check := func(name string, got float64, gotStd float64, v []float64) {
				t.Helper()
				mean, std := meanStd(v)
				if math.Abs(got-mean) > 1e-12 || math.Abs(gotStd-std) > 1e-12 {
					t.Errorf("case %d, balanced %v: %s = %v +- %v, want %v +- %v", k, balanced, name, got, gotStd, mean, std)
				}
			}
			check("accuracy", got.Accuracy, got.AccuracyStd, accuracies)
			if got.VALReached {
				check("VAL", got.VAL, got.VALStd, vals)
				mean, _ := meanStd(fars)
				check("FAR at VAL", got.VALFAR, 0, []float64{mean})
			} else if !math.IsNaN(got.VAL) {
				t.Errorf("VAL = %v though FAR 1e-3 can't be reached", got.VAL)
			}
		}
	}
}

func TestHoldOutLeavesOutFoldsWithoutBothKinds(t *testing.T) {
	good := Fold{[]float64{0.1}, []float64{3}}
	h, err := HoldOut([]Fold{good, {nil, []float64{1}}, good, {[]float64{1}, nil}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if h.Folds != 2 || h.LeftOut != 2 || h.Accuracy != 1 || h.Threshold != 0.1 {
		t.Errorf("HoldOut = %+v, want 2 folds, 2 left out, accuracy 1 at 0.1", h)
	}
	if _, err := HoldOut([]Fold{{nil, []float64{1}}}, false); !errors.Is(err, ErrNoPairs) {
		t.Errorf("error %v, want ErrNoPairs", err)
	}
}

func TestGridIndex(t *testing.T) {
	for _, c := range []struct {
		d    float64
		want int
	}{{0, 0}, {0.29, 29}, {0.57, 57}, {0.570001, 58}, {4, 400}, {4.0001, 401}, {1.15, 115}} {
		if got := squaredGrid.index(c.d); got != c.want {
			t.Errorf("squaredGrid.index(%v) = %d, want %d", c.d, got, c.want)
		}
	}
}

// Reference values: scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{0, 10, 0, 0.2775327998628892},
		{10, 10, 0.7224672001371107, 1},
		{5, 10, 0.236593090512564, 0.7634069094874361},
		{617, 1000, 0.5864772698839884, 0.6466272686303915},
		{0, 0, 0, 1},
	} {
		low, high := Wilson(c.k, c.n)
		if math.Abs(low-c.low) > 1e-9 || math.Abs(high-c.high) > 1e-9 {
			t.Errorf("Wilson(%d, %d) = %v, %v, want %v, %v", c.k, c.n, low, high, c.low, c.high)
		}
	}
}
