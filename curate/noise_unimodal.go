package curate

import (
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/rng"
)

const (
	chanceDraws  = 999 // so that the smallest p-value is 1/1000
	chanceAxes   = 3   // two people differ along one axis, which two other differences may outdo
	chanceImages = 1500
	powerSteps   = 40
)

// parting is how well images part along their principal axes.
type parting struct {
	images, axes int
	share        float64 // of the variance along an axis that the best cut leaves within the parts, the least of the axes
}

// howParted cuts the images in two along each of the first principal axes, where that leaves the least of the
// variance within the parts.
func howParted(v vectors, seed uint64, identity string) parting {
	v = thinned(v)
	axes := principal(v, rng.Stream(seed, "curate-parts", identity))
	out := parting{images: v.len(), axes: len(axes), share: 1}
	for _, axis := range axes {
		out.share = min(out.share, cutShare(axis))
	}
	return out
}

// partsByChance returns how likely one person's images part at least as well as each of these: the share of draws
// from a normal distribution, as many numbers along as many axes, that do. Few images give large values whatever they
// show, since some draws of few always part well.
//
// L. Engelman, J. A. Hartigan, "Percentage points of a test for clusters", JASA 64(328), 1969, pp. 1647-1648: the
// share along one axis; Y. Liu, D. N. Hayes, A. Nobel, J. S. Marron, "Statistical significance of clustering for
// high-dimension, low-sample size data", JASA 103(483), 2008, pp. 1281-1293: draws from one normal distribution.
func partsByChance(have []parting, seed uint64) []float64 {
	type kind struct{ size, axes int }
	at := map[kind]int{}
	var kinds []kind
	for _, h := range have {
		k := kind{chanceSize(h.images), h.axes}
		if _, ok := at[k]; !ok {
			at[k] = len(kinds)
			kinds = append(kinds, k)
		}
	}
	draws := make([][]float64, len(kinds))
	parallel(len(kinds), func(i int) {
		k := kinds[i]
		r := rng.Stream(seed, "curate-chance", k.size, k.axes)
		x := make([]float64, k.size)
		draws[i] = make([]float64, chanceDraws)
		for d := range draws[i] {
			draws[i][d] = 1
			for range k.axes {
				for j := range x {
					x[j] = r.Norm()
				}
				draws[i][d] = min(draws[i][d], cutShare(x))
			}
		}
		slices.Sort(draws[i])
	})
	out := make([]float64, len(have))
	for i, h := range have {
		reached := countBelow(draws[at[kind{chanceSize(h.images), h.axes}]], h.share)
		out[i] = float64(reached+1) / (chanceDraws + 1)
	}
	return out
}

// chanceSize is the number of draws' values that stand for n images: n itself, or of many the next of a few sizes
// below, whose shares reach lower, so that p is never too small.
func chanceSize(n int) int {
	if n <= 32 {
		return n
	}
	size := 32
	for next := size + size/16; next <= n; next = size + size/16 {
		size = next
	}
	return size
}

// cutShare sorts the values, cuts them in two parts of at least partImages where that leaves the least of their
// variance within the parts, and returns the share that is left.
func cutShare(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	total, squares := 0.0, 0.0
	for _, x := range values {
		total += x
	}
	for _, x := range values {
		d := x - total/float64(n)
		squares += float64(d * d)
	}
	if squares == 0 {
		return 1
	}
	most, below := 0.0, 0.0 // between the parts
	for i, x := range values[:n-partImages] {
		below += x
		if k := i + 1; k >= partImages {
			d := below/float64(k) - (total-below)/float64(n-k)
			most = max(most, float64(d*d)*float64(k)*float64(n-k)/float64(n))
		}
	}
	return 1 - most/squares
}

// thinned keeps images at equal steps where there are very many.
func thinned(v vectors) vectors {
	n := v.len()
	if n <= chanceImages {
		return v
	}
	out := vectors{width: v.width}
	for i := range chanceImages {
		out.data = append(out.data, v.at(i*n/chanceImages)...)
	}
	return out
}

// principal returns the images' places along their first principal axes, each of them scaled to length 1. They are
// the eigenvectors of the matrix of inner products, found by orthogonal iteration.
func principal(v vectors, r *rng.Rand) [][]float64 {
	n := v.len()
	axes := min(n-1, v.width, chanceAxes)
	mean := newGroup(v.width)
	for i := range n {
		mean.put(v.at(i), 1)
	}
	x := make([]float64, n*v.width)
	for i := range n {
		row := x[i*v.width : (i+1)*v.width]
		for j, f := range v.at(i) {
			row[j] = float64(f) - mean.sum[j]/float64(n)
		}
	}
	gram := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			s := dot(x[i*v.width:(i+1)*v.width], x[j*v.width:(j+1)*v.width])
			gram[i*n+j], gram[j*n+i] = s, s
		}
	}
	basis := make([][]float64, axes)
	for a := range basis {
		basis[a] = make([]float64, n)
		for i := range basis[a] {
			basis[a][i] = r.Norm()
		}
	}
	basis = orthonormal(basis)
	for range powerSteps {
		for a := range basis {
			next := make([]float64, n)
			for i := range next {
				next[i] = dot(gram[i*n:(i+1)*n], basis[a])
			}
			basis[a] = next
		}
		basis = orthonormal(basis)
	}
	return basis
}

// orthonormal makes the vectors orthogonal and of length 1, one after another; those that others span are left out.
func orthonormal(basis [][]float64) [][]float64 {
	out := basis[:0]
	for _, b := range basis {
		before := math.Sqrt(dot(b, b))
		for range 2 { // the second time takes away what rounding left
			for _, o := range out {
				s := dot(b, o)
				for i := range b {
					b[i] -= float64(s * o[i])
				}
			}
		}
		length := math.Sqrt(dot(b, b))
		if length <= 1e-9*before || before == 0 {
			continue
		}
		for i := range b {
			b[i] /= length
		}
		out = append(out, b)
	}
	return out
}
