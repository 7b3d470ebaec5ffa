package eval

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
)

// ErrNoPairs says that genuine or impostor pairs are lacking, without which no rate exists.
var ErrNoPairs = errors.New("eval: no pairs")

// ROC holds the distances of genuine pairs (one person) and impostor pairs (two), from which
// every verification rate is counted. A pair is accepted when its distance is at most the
// threshold.
//
// FAR, the false accept rate, is the share of impostor pairs accepted; TAR, the true accept
// rate, that of genuine pairs; FRR is 1 - TAR. Pairs at equal distance are accepted together,
// so the curve between two thresholds is a straight line.
type ROC struct {
	genuine, impostor []float64 // sorted
}

// NewROC sorts both slices in place and keeps them. The error wraps [ErrNoPairs] when one is
// empty; a distance that is NaN, infinite or negative is an error too.
func NewROC(genuine, impostor []float64) (*ROC, error) {
	if len(genuine) == 0 || len(impostor) == 0 {
		return nil, fmt.Errorf("%w: %d genuine and %d impostor, at least one of each is needed", ErrNoPairs, len(genuine), len(impostor))
	}
	for _, list := range []struct {
		name   string
		values []float64
	}{{"genuine", genuine}, {"impostor", impostor}} {
		for i, v := range list.values {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return nil, fmt.Errorf("eval: %s distance %d is %v", list.name, i, v)
			}
		}
		slices.Sort(list.values)
	}
	return &ROC{genuine, impostor}, nil
}

// Genuine returns the number of genuine pairs.
func (r *ROC) Genuine() int { return len(r.genuine) }

// Impostor returns the number of impostor pairs.
func (r *ROC) Impostor() int { return len(r.impostor) }

// Point is how many pairs a threshold accepts.
type Point struct {
	Threshold    float64
	FalseAccepts int
	TrueAccepts  int
}

// Points yields one point for every different distance, the smallest first. The point that
// accepts nothing comes before them and is not yielded.
func (r *ROC) Points() iter.Seq[Point] {
	return func(yield func(Point) bool) {
		g, i := 0, 0
		for g < len(r.genuine) || i < len(r.impostor) {
			t := math.Inf(1)
			if g < len(r.genuine) {
				t = r.genuine[g]
			}
			if i < len(r.impostor) {
				t = math.Min(t, r.impostor[i])
			}
			for g < len(r.genuine) && r.genuine[g] == t {
				g++
			}
			for i < len(r.impostor) && r.impostor[i] == t {
				i++
			}
			if !yield(Point{t, i, g}) {
				return
			}
		}
	}
}

// AUC returns the area under the ROC: the probability that a genuine pair is nearer than an
// impostor pair, where a tie counts one half. It is counted in whole numbers, exactly up to
// 2^63 pairs of pairs.
//
// H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is
// stochastically larger than the other", Annals of Mathematical Statistics 18(1), 1947.
func (r *ROC) AUC() float64 {
	var twice uint64
	var last Point
	for p := range r.Points() {
		twice += uint64(p.FalseAccepts-last.FalseAccepts) * uint64(p.TrueAccepts+last.TrueAccepts)
		last = p
	}
	return float64(twice) / 2 / (float64(len(r.genuine)) * float64(len(r.impostor)))
}

// EER returns the equal error rate, where FAR equals FRR on the ROC with its points joined by
// straight lines, and the first threshold at which FAR is at least FRR.
func (r *ROC) EER() (rate, threshold float64) {
	ng, ni := float64(len(r.genuine)), float64(len(r.impostor))
	far, frr := 0.0, 1.0
	for p := range r.Points() {
		f, m := float64(p.FalseAccepts)/ni, float64(len(r.genuine)-p.TrueAccepts)/ng
		if f >= m {
			// Between the two points FAR - FRR runs linearly from before <= 0 to after >= 0.
			before, after := far-frr, f-m
			share := -before / (after - before)
			return far + float64(share*(f-far)), p.Threshold // one rounding each: the same on every CPU
		}
		far, frr = f, m
	}
	panic("eval: a ROC that never accepts everything")
}

// Rate is the TAR at a bound on the FAR.
type Rate struct {
	FAR       float64 // the bound
	TAR       float64
	Threshold float64 // the largest distance that still keeps the bound; NaN: accept nothing
	Reachable bool    // false: FAR is less than one impostor pair in all
}

// TARAtFAR returns the largest TAR of all thresholds whose FAR is at most far. It does not
// interpolate: with fewer than 1/far impostor pairs the rate is not reachable.
func (r *ROC) TARAtFAR(far float64) Rate {
	allowed := allowedAccepts(far, len(r.impostor))
	out := Rate{FAR: far, Reachable: allowed >= 1}
	if !out.Reachable {
		out.TAR, out.Threshold = math.NaN(), math.NaN()
		return out
	}
	// The first impostor pair too many bounds the threshold from above, without being reached.
	bound := math.Inf(1)
	if allowed < len(r.impostor) {
		bound = r.impostor[allowed]
	}
	g := sort.SearchFloat64s(r.genuine, bound)
	i := sort.SearchFloat64s(r.impostor, bound)
	out.TAR = float64(g) / float64(len(r.genuine))
	out.Threshold = math.NaN()
	if g > 0 {
		out.Threshold = r.genuine[g-1]
	}
	if i > 0 && !(out.Threshold > r.impostor[i-1]) {
		out.Threshold = r.impostor[i-1]
	}
	return out
}

// allowedAccepts returns how many of n impostor pairs may be accepted at most. The product may
// fall short of a whole number by a rounding: 1e-3 of 3000 is 3.
func allowedAccepts(far float64, n int) int {
	return int(math.Floor(far * float64(n) * (1 + 1e-12)))
}

// CurvePoint is a point of the ROC as rates.
type CurvePoint struct{ Threshold, FAR, TAR float64 }

// Curve returns the points of the ROC that a picture or a table needs, at most some thousand:
// points on a straight line between their neighbours are left out, and so are those that
// differ from the one before by less than 1/2000 of a decade of FAR and 1/2000 of TAR.
func (r *ROC) Curve() []CurvePoint {
	ng, ni := float64(len(r.genuine)), float64(len(r.impostor))
	var out []CurvePoint
	var kept, last, corner Point // corner is last when it may still be left out
	held := false
	emit := func(p Point) {
		out = append(out, CurvePoint{p.Threshold, float64(p.FalseAccepts) / ni, float64(p.TrueAccepts) / ng})
		kept = p
	}
	far := func(a, b Point) bool {
		if b.FalseAccepts != a.FalseAccepts && (a.FalseAccepts == 0 || float64(b.FalseAccepts)/float64(a.FalseAccepts) > decadeStep) {
			return true
		}
		return float64(b.TrueAccepts-a.TrueAccepts)/ng > 1.0/2000
	}
	for p := range r.Points() {
		if held {
			// Straight on from before corner to p?
			ax, ay := corner.FalseAccepts-last.FalseAccepts, corner.TrueAccepts-last.TrueAccepts
			bx, by := p.FalseAccepts-corner.FalseAccepts, p.TrueAccepts-corner.TrueAccepts
			straight := float64(ax)*float64(by) == float64(ay)*float64(bx)
			if !straight {
				if far(kept, corner) || len(out) == 0 {
					emit(corner)
				}
				last = corner
			}
		}
		corner, held = p, true
	}
	emit(corner)
	return out
}

var decadeStep = math.Pow(10, 1.0/2000)
