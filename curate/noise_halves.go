package curate

import (
	"math"
)

// halves is an identity parted in two: the larger part first.
type halves struct {
	parts  [2]group
	second []bool // images of the smaller part
}

// partImages is how many images a part has at least that may be a person: of two, any two images are one.
const partImages = 3

// lloydSteps bounds the steps to two parts; each one only ever lowers the spread within them.
const lloydSteps = 50

// findHalves parts the images so that the sum of their squared distances to their part's mean is small: Lloyd's
// steps from the core and the rest, and from the two sides of the first principal axis; the better end is taken.
func findHalves(v vectors, core []bool) halves {
	n := v.len()
	if n < 2*partImages {
		return halves{}
	}
	rest := make([]bool, n)
	for i, in := range core {
		rest[i] = !in
	}
	best, least := []bool(nil), math.Inf(1)
	for _, start := range [][]bool{rest, axisSides(v)} {
		if second, spread, ok := lloyd(v, start); ok && spread < least {
			best, least = second, spread
		}
	}
	if best == nil {
		return halves{}
	}
	h := halves{second: best, parts: [2]group{newGroup(v.width), newGroup(v.width)}}
	for i, is := range best {
		h.parts[place(is)].put(v.at(i), 1)
	}
	if h.parts[1].n > h.parts[0].n {
		h.parts[0], h.parts[1] = h.parts[1], h.parts[0]
		for i := range best {
			best[i] = !best[i]
		}
	}
	return h
}

func place(second bool) int {
	if second {
		return 1
	}
	return 0
}

// lloyd moves images to the nearer mean until none moves; false where a part is empty.
func lloyd(v vectors, start []bool) (second []bool, spread float64, ok bool) {
	second = append([]bool(nil), start...)
	g := [2]group{newGroup(v.width), newGroup(v.width)}
	for i, is := range second {
		g[place(is)].put(v.at(i), 1)
	}
	for range lloydSteps {
		if g[0].n == 0 || g[1].n == 0 {
			return nil, 0, false
		}
		var half [2]float64 // half the squared length of the means
		var share [2]float64
		for p := range g {
			share[p] = 1 / float64(g[p].n)
			half[p] = dot(g[p].sum, g[p].sum) * share[p] * share[p] / 2
		}
		next := make([]bool, v.len())
		moved := false
		for i := range next {
			x := v.at(i)
			d0 := float64(product(x, g[0].sum)*share[0]) - half[0]
			d1 := float64(product(x, g[1].sum)*share[1]) - half[1]
			next[i] = d1 > d0
			moved = moved || next[i] != second[i]
		}
		if !moved {
			break
		}
		for i, is := range next {
			if is != second[i] {
				g[place(is)].put(v.at(i), 1)
				g[place(!is)].put(v.at(i), -1)
			}
		}
		second = next
	}
	if g[0].n == 0 || g[1].n == 0 {
		return nil, 0, false
	}
	for p := range g {
		spread += g[p].squares - dot(g[p].sum, g[p].sum)/float64(g[p].n)
	}
	return second, spread, true
}

// axisSteps are enough for a side of the first axis to be told where two people are: their distance is then most of
// the variance.
const axisSteps = 10

// axisSides returns on which side of the mean, along the first principal axis, each image is.
func axisSides(v vectors) []bool {
	n := v.len()
	mean := newGroup(v.width)
	for i := range n {
		mean.put(v.at(i), 1)
	}
	for i := range mean.sum {
		mean.sum[i] /= float64(n)
	}
	// The steps begin with the image that is farthest from the mean.
	far, least := 0, math.Inf(1)
	for i := range n {
		if s := product(v.at(i), mean.sum); s < least {
			far, least = i, s
		}
	}
	axis := make([]float64, v.width)
	add(axis, v.at(far), 1)
	for i, m := range mean.sum {
		axis[i] -= m
	}
	side := make([]float64, n)
	for step := range axisSteps + 1 {
		if !unit(axis) {
			break
		}
		at := dot(mean.sum, axis)
		for i := range side {
			side[i] = product(v.at(i), axis) - at
		}
		if step == axisSteps {
			break
		}
		clear(axis)
		for i, s := range side {
			for j, x := range v.at(i) {
				axis[j] += float64(s * float64(x))
			}
		}
		total := 0.0
		for _, s := range side {
			total += s
		}
		for j, m := range mean.sum {
			axis[j] -= float64(total * m)
		}
	}
	out := make([]bool, n)
	for i, s := range side {
		out[i] = s > 0
	}
	return out
}
