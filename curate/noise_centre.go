package curate

import (
	"context"
	"math"
	"slices"
)

// centre is what an identity looks like, without the images that do not belong.
type centre struct {
	core  group     // the images that the centre is made of
	unit  []float64 // its direction
	alike float64   // mean similarity of two of them
	usual float64   // median similarity of an image to the centre of the others
	twin  float64   // likeness of two groups of the core's images; NaN of few
}

// How many images each of two groups has where an identity is compared with itself: so few that identities of all
// sizes are measured alike, and with the spread that small ones have.
const (
	twinImages = 5
	twinMost   = 10
)

// centreSteps bounds the steps to a centre; each one only ever raises the similarity of the half that is nearest,
// so that it ends by itself, usually after three or four.
const centreSteps = 30

// rejectAt is how many deviations below the median an image leaves the core: 3 as usual, in units of the standard
// deviation of a normal distribution, which is 1.4826 times the median absolute deviation.
const rejectAt = 3 * 1.4826

// centres finds each person's centre and holds each image against it.
func (n *noise) centres(ctx context.Context) error {
	n.own = make([]float64, len(n.rows.Keys))
	all := make([]int, len(n.people))
	for k := range all {
		all[k] = k
	}
	return n.eachPerson(ctx, "centres", all, func(k int, v vectors) {
		p := &n.people[k]
		c, in := findCentre(v)
		own := make([]float64, v.len())
		for i := range own {
			own[i] = c.without(v.at(i), in[i])
			n.own[p.rows[i]] = own[i]
		}
		c.usual = median(own)
		p.centre, p.halves = c, findHalves(v, in)
	})
}

// findCentre finds the half of the images that are most like each other and their mean direction, then takes in the
// other images that are like it. So up to half of the images may be somebody else's.
//
// The first part is concentration: a centre, the half that is nearest to it, that half's centre, and so on, from
// the mean of all images and from the image nearest to it; the better end is taken.
//
// P. J. Rousseeuw, K. Van Driessen, "A fast algorithm for the minimum covariance determinant estimator",
// Technometrics 41(3), 1999, pp. 212-223: C-steps, and one step of reweighting.
func findCentre(v vectors) (centre, []bool) {
	n := v.len()
	all := newGroup(v.width)
	for i := range n {
		all.put(v.at(i), 1)
	}
	first := 0
	for i, best := 0, math.Inf(-1); i < n; i++ {
		if s := product(v.at(i), all.sum); s > best {
			first, best = i, s
		}
	}
	alone := newGroup(v.width)
	alone.put(v.at(first), 1)
	half, score := concentrate(v, all)
	if other, s := concentrate(v, alone); s > score {
		half = other
	}
	c := sumOf(v, half).sum
	unit(c)
	similarity := make([]float64, n)
	for i := range similarity {
		similarity[i] = product(v.at(i), c)
	}
	mid := median(similarity)
	apart := make([]float64, n)
	for i, s := range similarity {
		apart[i] = math.Abs(s - mid)
	}
	least := mid - float64(rejectAt*median(apart))
	in := make([]bool, n)
	for i, s := range similarity {
		in[i] = half[i] || s >= least
	}
	out := centre{core: sumOf(v, in), twin: math.NaN()}
	out.unit = slices.Clone(out.core.sum)
	unit(out.unit)
	out.alike = out.core.within()
	if even, odd := alternate(v, in); out.core.n >= 2*twinImages {
		out.twin = likeness(&even, &odd, even.within(), odd.within())
	}
	return out, in
}

func sumOf(v vectors, in []bool) group {
	g := newGroup(v.width)
	for i, ok := range in {
		if ok {
			g.put(v.at(i), 1)
		}
	}
	return g
}

// alternate deals images out to two groups in turn: all, or of many some at equal steps.
func alternate(v vectors, in []bool) (even, odd group) {
	even, odd = newGroup(v.width), newGroup(v.width)
	var core []int
	for i, ok := range in {
		if ok {
			core = append(core, i)
		}
	}
	n := min(len(core), 2*twinMost)
	for k := range n {
		g := &even
		if k%2 == 1 {
			g = &odd
		}
		g.put(v.at(core[k*len(core)/n]), 1)
	}
	return even, odd
}

// concentrate returns the half of the images that the steps from a group end in, and the sum of their similarities to
// its centre. Of images that are equally near, those with the smaller place are taken.
func concentrate(v vectors, from group) (half []bool, score float64) {
	n := v.len()
	want := n/2 + 1
	c := slices.Clone(from.sum)
	if !unit(c) { // the images cancel out: any direction is as good
		for i, x := range v.at(0) {
			c[i] = float64(x)
		}
	}
	similarity := make([]float64, n)
	order := make([]int, n)
	half = make([]bool, n)
	for range centreSteps {
		for i := range similarity {
			similarity[i] = product(v.at(i), c)
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			switch {
			case similarity[a] > similarity[b]:
				return -1
			case similarity[a] < similarity[b]:
				return 1
			}
			return a - b
		})
		next := make([]bool, n)
		score = 0
		for _, i := range order[:want] {
			next[i] = true
			score += similarity[i]
		}
		if slices.Equal(half, next) {
			break
		}
		half = next
		c = sumOf(v, half).sum
		if !unit(c) {
			break
		}
	}
	return half, score
}

// without is the similarity of an image to the centre of the core's other images: no image vouches for itself.
func (c *centre) without(x []float32, in bool) float64 {
	s, length := product(x, c.core.sum), dot(c.core.sum, c.core.sum)
	if in {
		own := square(x)
		length += own - 2*s
		s -= own
	}
	if length < 1e-12 { // the others cancel out
		return 0
	}
	return s / math.Sqrt(length)
}

// likeness is the mean similarity across two groups over the geometric mean of that within each: the cosine of
// their true centres, of which the groups' own are noisy estimates. So it is about 1 for two groups of one person's
// images however few and however different they are, and what two people have in common for two people's.
// Within is NaN or not above 0 for groups that do not hang together: then it is NaN.
//
// C. Spearman, "The proof and measurement of association between two things", American Journal of Psychology 15(1),
// 1904, pp. 72-101: correction for attenuation.
func likeness(a, b *group, withinA, withinB float64) float64 {
	if !(withinA > 0 && withinB > 0) {
		return math.NaN()
	}
	return across(a, b) / math.Sqrt(float64(withinA*withinB))
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// quantile returns the smallest of sorted values that share q of them do not exceed.
func quantile(sorted []float64, q float64) float64 {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
