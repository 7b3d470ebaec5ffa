package eval

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// distances draws n of them; few different ones where ties is true.
func distances(r *rng.Rand, n int, mean float64, ties bool) []float64 {
	out := make([]float64, n)
	for i := range out {
		d := math.Max(0, math.Min(4, mean+0.35*r.Norm()))
		if ties {
			d = math.Round(d*8) / 8
		}
		out[i] = d
	}
	return out
}

// eachCase runs f on random distances of many sizes, with ties and without.
func eachCase(t *testing.T, f func(genuine, impostor []float64, roc *ROC)) {
	t.Helper()
	r := rng.Stream(11, "roc")
	for k := range 300 {
		ng, ni := 1+r.IntN(40), 1+r.IntN(90)
		if k%10 == 0 {
			ni = 1 + r.IntN(2000)
		}
		g := distances(r, ng, 0.9, k%2 == 0)
		i := distances(r, ni, 0.9+r.Between(-0.3, 1.2), k%2 == 0)
		roc, err := NewROC(slices.Clone(g), slices.Clone(i))
		if err != nil {
			t.Fatal(err)
		}
		f(g, i, roc)
		if t.Failed() {
			t.Fatalf("case %d: genuine %v, impostor %v", k, g, i)
		}
	}
}

// accepted counts by looking at every distance.
func accepted(d []float64, threshold float64) (n int) {
	for _, v := range d {
		if v <= threshold {
			n++
		}
	}
	return n
}

func allThresholds(g, i []float64) []float64 {
	all := slices.Concat(g, i)
	slices.Sort(all)
	return slices.Compact(all)
}

func TestPointsEqualCounting(t *testing.T) {
	eachCase(t, func(g, i []float64, roc *ROC) {
		want := allThresholds(g, i)
		k := 0
		for p := range roc.Points() {
			w := Point{want[k], accepted(i, want[k]), accepted(g, want[k])}
			if p != w {
				t.Errorf("point %d = %+v, want %+v", k, p, w)
			}
			k++
		}
		if k != len(want) {
			t.Errorf("%d points, want %d", k, len(want))
		}
	})
}

func TestAUCEqualsEveryPairOfPairs(t *testing.T) {
	eachCase(t, func(g, i []float64, roc *ROC) {
		sum := 0.0
		for _, a := range g {
			for _, b := range i {
				switch {
				case a < b:
					sum++
				case a == b:
					sum += 0.5
				}
			}
		}
		want := sum / float64(len(g)*len(i))
		if got := roc.AUC(); math.Abs(got-want) > 1e-12 {
			t.Errorf("AUC = %v, want %v", got, want)
		}
	})
}

// The twin finds the crossing by bisection on the polyline's parameter, not by solving it.
func TestEEREqualsBisection(t *testing.T) {
	eachCase(t, func(g, i []float64, roc *ROC) {
		far, frr := []float64{0}, []float64{1}
		for _, t := range allThresholds(g, i) {
			far = append(far, float64(accepted(i, t))/float64(len(i)))
			frr = append(frr, 1-float64(accepted(g, t))/float64(len(g)))
		}
		at := func(s float64) (f, m float64) {
			k := min(int(s), len(far)-2)
			u := s - float64(k)
			return far[k] + u*(far[k+1]-far[k]), frr[k] + u*(frr[k+1]-frr[k])
		}
		lo, hi := 0.0, float64(len(far)-1)
		for range 200 {
			m := (lo + hi) / 2
			if f, r := at(m); f < r {
				lo = m
			} else {
				hi = m
			}
		}
		want, _ := at(hi)
		got, threshold := roc.EER()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("EER = %v, want %v", got, want)
		}
		f := float64(accepted(i, threshold)) / float64(len(i))
		m := 1 - float64(accepted(g, threshold))/float64(len(g))
		if f < m-1e-12 {
			t.Errorf("at the threshold %v FAR is %v, below FRR %v", threshold, f, m)
		}
	})
}

func TestTARAtFAREqualsTryingEveryThreshold(t *testing.T) {
	eachCase(t, func(g, i []float64, roc *ROC) {
		for _, far := range []float64{1, 0.5, 1e-1, 1e-2, 1e-3} {
			got := roc.TARAtFAR(far)
			if float64(len(i))*far < 1-1e-9 {
				if got.Reachable || !math.IsNaN(got.TAR) {
					t.Errorf("TAR@FAR %v with %d impostor pairs = %+v, want not reachable", far, len(i), got)
				}
				continue
			}
			want := 0.0
			for _, t := range allThresholds(g, i) {
				if float64(accepted(i, t)) <= far*float64(len(i))+1e-9 {
					want = math.Max(want, float64(accepted(g, t))/float64(len(g)))
				}
			}
			if !got.Reachable || got.TAR != want {
				t.Errorf("TAR@FAR %v = %+v, want %v", far, got, want)
			}
			if !math.IsNaN(got.Threshold) && float64(accepted(g, got.Threshold))/float64(len(g)) != want {
				t.Errorf("TAR@FAR %v: the threshold %v gives another TAR", far, got.Threshold)
			}
		}
	})
}

func TestAllowedAccepts(t *testing.T) {
	for _, c := range []struct {
		far  float64
		n    int
		want int
	}{{1e-3, 1000, 1}, {1e-3, 999, 0}, {1e-3, 3000, 3}, {1e-6, 1000000, 1}, {1e-6, 999999, 0}, {0.1, 7, 0}, {0.1, 30, 3}, {1, 5, 5}, {1e-5, 61344, 0}} {
		if got := allowedAccepts(c.far, c.n); got != c.want {
			t.Errorf("allowedAccepts(%v, %d) = %d, want %d", c.far, c.n, got, c.want)
		}
	}
}

func TestCurveLosesNothingThatCanBeSeen(t *testing.T) {
	eachCase(t, func(g, i []float64, roc *ROC) {
		curve := roc.Curve()
		last := curve[len(curve)-1]
		if last.FAR != 1 || last.TAR != 1 {
			t.Errorf("curve ends at %+v, want FAR and TAR 1", last)
		}
		// Every exact point lies within the step of the polyline through the curve.
		path := append([]CurvePoint{{}}, curve...)
		for p := range roc.Points() {
			f, m := float64(p.FalseAccepts)/float64(len(i)), float64(p.TrueAccepts)/float64(len(g))
			best := math.Inf(1)
			for k := 1; k < len(path); k++ {
				best = math.Min(best, toSegment(f, m, path[k-1], path[k]))
			}
			if best > 2.0/2000 {
				t.Errorf("point (%v, %v) is %v off the curve", f, m, best)
			}
		}
	})
	r := rng.Stream(2, "large")
	roc, err := NewROC(distances(r, 200000, 0.9, false), distances(r, 400000, 1.5, false))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(roc.Curve()); n > 15000 {
		t.Errorf("a curve of %d points, want at most 15000", n)
	}
}

func toSegment(x, y float64, a, b CurvePoint) float64 {
	dx, dy := b.FAR-a.FAR, b.TAR-a.TAR
	t := ((x-a.FAR)*dx + (y-a.TAR)*dy) / math.Max(dx*dx+dy*dy, 1e-300)
	t = math.Max(0, math.Min(1, t))
	return math.Hypot(x-a.FAR-t*dx, y-a.TAR-t*dy)
}

func TestPerfectAndHopeless(t *testing.T) {
	roc, err := NewROC([]float64{0.1, 0.2}, []float64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if eer, _ := roc.EER(); eer != 0 || roc.AUC() != 1 {
		t.Errorf("separated: EER %v, AUC %v, want 0 and 1", eer, roc.AUC())
	}
	roc, err = NewROC([]float64{1, 1, 1}, []float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if eer, _ := roc.EER(); eer != 0.5 || roc.AUC() != 0.5 {
		t.Errorf("all equal: EER %v, AUC %v, want 0.5 and 0.5", eer, roc.AUC())
	}
}

func TestNewROCRefuses(t *testing.T) {
	if _, err := NewROC(nil, []float64{1}); !errors.Is(err, ErrNoPairs) {
		t.Errorf("no genuine pairs: error %v, want ErrNoPairs", err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), -1} {
		if _, err := NewROC([]float64{1}, []float64{bad}); err == nil {
			t.Errorf("distance %v gives no error", bad)
		}
	}
}

// golden.json was made by testdata/golden.py with scikit-learn.
func TestEqualsScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Genuine, Impostor, Threshold, FAR, TAR []float64
		AUC, EER                               float64
		TARAtFAR                               map[string]float64 `json:"tar_at_far"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	const tol = 1e-9
	for n, c := range cases {
		roc, err := NewROC(c.Genuine, c.Impostor)
		if err != nil {
			t.Fatal(err)
		}
		k := 0
		for p := range roc.Points() {
			far, tar := float64(p.FalseAccepts)/float64(roc.Impostor()), float64(p.TrueAccepts)/float64(roc.Genuine())
			if math.Abs(p.Threshold-c.Threshold[k]) > tol || math.Abs(far-c.FAR[k]) > tol || math.Abs(tar-c.TAR[k]) > tol {
				t.Fatalf("case %d: point %d = (%v, %v, %v), want (%v, %v, %v)", n, k, p.Threshold, far, tar, c.Threshold[k], c.FAR[k], c.TAR[k])
			}
			k++
		}
		if k != len(c.FAR) {
			t.Errorf("case %d: %d points, want %d", n, k, len(c.FAR))
		}
		if got := roc.AUC(); math.Abs(got-c.AUC) > tol {
			t.Errorf("case %d: AUC = %v, want %v", n, got, c.AUC)
		}
		if got, _ := roc.EER(); math.Abs(got-c.EER) > tol {
			t.Errorf("case %d: EER = %v, want %v", n, got, c.EER)
		}
		for name, far := range map[string]float64{"1e-1": 1e-1, "1e-2": 1e-2, "1e-3": 1e-3} {
			if got := roc.TARAtFAR(far); got.Reachable && math.Abs(got.TAR-c.TARAtFAR[name]) > tol {
				t.Errorf("case %d: TAR@FAR %s = %v, want %v", n, name, got.TAR, c.TARAtFAR[name])
			}
		}
	}
}

func BenchmarkROC(b *testing.B) {
	r := rng.Stream(1, "bench")
	g, i := distances(r, 100000, 0.9, false), distances(r, 1000000, 1.6, false)
	for b.Loop() {
		roc, err := NewROC(slices.Clone(g), slices.Clone(i))
		if err != nil {
			b.Fatal(err)
		}
		roc.AUC()
		roc.EER()
		roc.TARAtFAR(1e-4)
	}
}
