package kernel

import (
	"fmt"
	"math"
)

// Mining says which triplets of a batch count: an anchor, a positive of the same class and a
// negative of another.
type Mining string

const (
	// MineAll takes all triplets.
	MineAll Mining = "all"
	// MineSemiHard takes for each anchor and positive the nearest negative that is farther away than the
	// positive but by less than alpha, and the farthest of all negatives where there is none: FaceNet's.
	MineSemiHard Mining = "semi-hard"
	// MineHard takes for each anchor the farthest positive and the nearest negative.
	//
	// A. Hermans, L. Beyer, B. Leibe, "In Defense of the Triplet Loss for Person
	// Re-Identification", arXiv:1703.07737, 2017.
	MineHard Mining = "hard"
)

// TripletLoss is the mean over triplets of max(0, d(anchor, positive) - d(anchor, negative) + alpha),
// d being the squared Euclidean distance of vectors of length 1. Triplets of loss 0 count in
// the mean, as Parkhi et al. have it, but for [MineAll]: there the mean is over those that are violated.
type TripletLoss struct {
	N, Width int
	Alpha    float64
	Mining   Mining

	unit     []float32 // the vectors made of length 1
	length   []float64
	distance []float64
	gradient []float64 // of the unit vectors
}

// NewTripletLoss prepares the loss for batches of n vectors.
func NewTripletLoss(n, width int, alpha float64, mining Mining) *TripletLoss {
	switch mining {
	case MineAll, MineSemiHard, MineHard:
	default:
		panic(fmt.Sprintf("kernel: triplet mining %q", mining))
	}
	return &TripletLoss{n, width, alpha, mining, make([]float32, n*width), make([]float64, n), make([]float64, n*n), make([]float64, n*width)}
}

// smallest is the length that shorter vectors are taken to have.
const smallest = 1e-12

// Forward computes the loss of x [N, Width], and scale times its gradient, which is added up for Backward.
// Label -1 marks vectors that take no part. triplets is how many the mean is over.
func (t *TripletLoss) Forward(x []float32, labels []int32, scale float64) (loss float64, triplets int) {
	need("TripletLoss: x", len(x), t.N*t.Width)
	need("TripletLoss: labels", len(labels), t.N)
	w := t.Width
	for i := range t.N {
		sum := 0.0
		for _, v := range x[i*w : (i+1)*w] {
			sum += float64(v) * float64(v)
		}
		t.length[i] = max(math.Sqrt(sum), smallest)
		for k, v := range x[i*w : (i+1)*w] {
			t.unit[i*w+k] = float32(float64(v) / t.length[i])
		}
	}
	Parallel(t.N, func(i int) {
		a := t.unit[i*w : (i+1)*w]
		for j := range t.N {
			sum := 0.0
			b := t.unit[j*w : (j+1)*w]
			for k, v := range a {
				d := float64(v) - float64(b[k])
				sum += d * d
			}
			t.distance[i*t.N+j] = sum
		}
	})
	// weight[i][j] is how often the distance from i to j counts, negatives below 0.
	weight := make([]float64, t.N*t.N)
	count := func(a, p, n int) {
		l := t.distance[a*t.N+p] - t.distance[a*t.N+n] + t.Alpha
		if l > 0 {
			loss += l
			weight[a*t.N+p]++
			weight[a*t.N+n]--
		}
		if l > 0 || t.Mining != MineAll {
			triplets++
		}
	}
	t.mine(labels, count)
	clear(t.gradient)
	if triplets == 0 {
		return 0, 0
	}
	scale /= float64(triplets)
	for i := range t.N {
		for j := range t.N {
			f := weight[i*t.N+j] * 2 * scale
			if f == 0 {
				continue
			}
			for k := range w {
				d := f * (float64(t.unit[i*w+k]) - float64(t.unit[j*w+k]))
				t.gradient[i*w+k] += d
				t.gradient[j*w+k] -= d
			}
		}
	}
	return loss / float64(triplets), triplets
}

// mine calls count for the triplets that are chosen, in a fixed order.
func (t *TripletLoss) mine(labels []int32, count func(a, p, n int)) {
	d := func(i, j int) float64 { return t.distance[i*t.N+j] }
	for a, la := range labels {
		if la < 0 {
			continue
		}
		farthest, nearest := -1, -1
		for p, lp := range labels {
			if lp != la || p == a {
				continue
			}
			if farthest < 0 || d(a, p) > d(a, farthest) {
				farthest = p
			}
			switch t.Mining {
			case MineAll:
				for n, ln := range labels {
					if ln >= 0 && ln != la {
						count(a, p, n)
					}
				}
			case MineSemiHard:
				if n := t.semiHard(labels, a, p); n >= 0 {
					count(a, p, n)
				}
			}
		}
		if t.Mining != MineHard {
			continue
		}
		for n, ln := range labels {
			if ln >= 0 && ln != la && (nearest < 0 || d(a, n) < d(a, nearest)) {
				nearest = n
			}
		}
		if farthest >= 0 && nearest >= 0 {
			count(a, farthest, nearest)
		}
	}
}

// semiHard returns the negative for an anchor and a positive, -1 where there is none at all.
func (t *TripletLoss) semiHard(labels []int32, a, p int) int {
	beyond, farthest := -1, -1
	positive := t.distance[a*t.N+p]
	for n, ln := range labels {
		if ln < 0 || ln == labels[a] {
			continue
		}
		d := t.distance[a*t.N+n]
		if d > positive && (beyond < 0 || d < t.distance[a*t.N+beyond]) {
			beyond = n
		}
		if farthest < 0 || d > t.distance[a*t.N+farthest] {
			farthest = n
		}
	}
	if beyond >= 0 {
		return beyond
	}
	return farthest
}

// Backward computes dx, the gradient of x, through the vectors' normalisation.
func (t *TripletLoss) Backward(dx []float32) {
	need("TripletLoss: dx", len(dx), t.N*t.Width)
	w := t.Width
	for i := range t.N {
		u, g := t.unit[i*w:(i+1)*w], t.gradient[i*w:(i+1)*w]
		along := 0.0
		for k, v := range u {
			along += float64(v) * g[k]
		}
		for k, v := range u {
			dx[i*w+k] = float32((g[k] - along*float64(v)) / t.length[i])
		}
	}
}
