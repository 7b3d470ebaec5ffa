package curate

import (
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/rng"
)

const (
	chanceDraws  = 199 // so that the smallest p-value is 1/200
	chanceAxes   = 32  // principal axes that are kept
	chanceImages = 1500
	powerSteps   = 40
)

// partsByChance returns how likely images of one normal distribution part at least as well as these do: the share
// of draws from a normal distribution with the images' own principal variances, as many images each, whose best two
// parts leave no more of the variance within them. Few images give large p-values whatever they show, since
// some draws of few always part well.
//
// Y. Liu, D. N. Hayes, A. Nobel, J. S. Marron, "Statistical significance of clustering for high-dimension,
// low-sample size data", JASA 103(483), 2008, pp. 1281-1293; the first axes only, since two people differ along one.
func partsByChance(v vectors, second []bool, seed uint64, identity string) float64 {
	v, second = thinned(v, second)
	n := v.len()
	r := rng.Stream(seed, "curate-parts", identity)
	points, variance := principal(v, r)
	if len(variance) == 0 {
		return 1
	}
	have := spreadWithin(points, n, second)
	draw := make([]float64, n*len(variance))
	reached := 0
	for range chanceDraws {
		for i := range draw {
			draw[i] = r.Norm() * math.Sqrt(variance[i%len(variance)])
		}
		if spreadWithin(draw, n, nil) <= have {
			reached++
		}
	}
	return float64(reached+1) / (chanceDraws + 1)
}

// thinned keeps images at equal steps where there are very many.
func thinned(v vectors, second []bool) (vectors, []bool) {
	n := v.len()
	if n <= chanceImages {
		return v, second
	}
	out := vectors{width: v.width}
	var keep []bool
	for i := range chanceImages {
		at := i * n / chanceImages
		out.data, keep = append(out.data, v.at(at)...), append(keep, second[at])
	}
	return out, keep
}

// principal returns the images' coordinates along their first principal axes, row by row, and the variances along
// these. The axes are those of the matrix of inner products, found by orthogonal iteration.
func principal(v vectors, r *rng.Rand) (points, variance []float64) {
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
	value := make([]float64, len(basis))
	for a := range basis {
		for i := range n {
			value[a] += float64(basis[a][i] * dot(gram[i*n:(i+1)*n], basis[a]))
		}
	}
	points = make([]float64, n*len(basis))
	for a, b := range basis {
		value[a] = max(value[a], 0)
		variance = append(variance, value[a]/float64(n-1))
		for i := range n {
			points[i*len(basis)+a] = b[i] * math.Sqrt(value[a])
		}
	}
	return points, variance
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

// spreadWithin returns the share of the points' variance that their best two parts leave within them, from the
// parts given, where there are any, and from the sides of each of the first two axes.
func spreadWithin(points []float64, n int, parts []bool) float64 {
	axes := len(points) / n
	mean := make([]float64, axes)
	for i, p := range points {
		mean[i%axes] += p
	}
	total := 0.0
	for i, p := range points {
		d := p - mean[i%axes]/float64(n)
		total += float64(d * d)
	}
	if total == 0 {
		return 1
	}
	least := 1.0
	try := func(start []bool) {
		if s, ok := part(points, n, start); ok {
			least = min(least, s/total)
		}
	}
	if parts != nil {
		try(parts)
	}
	for a := range min(2, axes) {
		start := make([]bool, n)
		for i := range n {
			start[i] = points[i*axes+a] > mean[a]/float64(n)
		}
		try(start)
	}
	return least
}

// part is [lloyd] for points, whose lengths differ; it returns the sum of squared distances within the parts.
func part(points []float64, n int, start []bool) (float64, bool) {
	axes := len(points) / n
	in := slices.Clone(start)
	for range lloydSteps {
		var count [2]int
		mean := [2][]float64{make([]float64, axes), make([]float64, axes)}
		for i, is := range in {
			p := place(is)
			count[p]++
			for a, x := range points[i*axes : (i+1)*axes] {
				mean[p][a] += x
			}
		}
		if count[0] == 0 || count[1] == 0 {
			return 0, false
		}
		for p := range mean {
			for a := range mean[p] {
				mean[p][a] /= float64(count[p])
			}
		}
		moved, sum := false, 0.0
		for i := range in {
			var d [2]float64
			for a, x := range points[i*axes : (i+1)*axes] {
				e0, e1 := x-mean[0][a], x-mean[1][a]
				d[0] += float64(e0 * e0)
				d[1] += float64(e1 * e1)
			}
			sum += d[place(in[i])]
			if now := d[1] < d[0]; now != in[i] {
				in[i], moved = now, true
			}
		}
		if !moved {
			return sum, true
		}
	}
	return 0, false
}
