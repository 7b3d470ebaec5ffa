package eval

import (
	"context"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// squaredDistance returns the squared Euclidean distance of two vectors, 0 to 4 where both
// have length 1. Four sums run side by side for speed; their order is fixed and each product is
// rounded by itself, so every CPU gives the same bits.
func squaredDistance(a, b []float32) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		d0 := float64(a[i] - b[i])
		d1 := float64(a[i+1] - b[i+1])
		d2 := float64(a[i+2] - b[i+2])
		d3 := float64(a[i+3] - b[i+3])
		s[0] += float64(d0 * d0)
		s[1] += float64(d1 * d1)
		s[2] += float64(d2 * d2)
		s[3] += float64(d3 * d3)
	}
	for ; i < len(a); i++ {
		d := float64(a[i] - b[i])
		s[0] += float64(d * d)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// pairSet is pairs of images by their numbers, with their distances.
type pairSet struct {
	a, b     []int32
	distance []float64
	total    int // pairs that exist, of which these are all or a sample
}

func (p *pairSet) len() int { return len(p.distance) }

func (p *pairSet) put(i int, a, b int32) { p.a[i], p.b[i] = a, b }

func newPairSet(n, total int) *pairSet {
	return &pairSet{a: make([]int32, n), b: make([]int32, n), distance: make([]float64, n), total: total}
}

// groups is images sorted by identity: identity k has the images starts[k] to starts[k+1]-1.
type groups []int

func (g groups) images() int     { return g[len(g)-1] }
func (g groups) identities() int { return len(g) - 1 }

// of returns the identity of image i.
func (g groups) of(i int) int { return sort.SearchInts(g, i+1) - 1 }

// count returns how many genuine and impostor pairs there are.
func (g groups) count() (genuine, impostor int) {
	for k := range g.identities() {
		n := g[k+1] - g[k]
		genuine += n * (n - 1) / 2
	}
	n := g.images()
	return genuine, n*(n-1)/2 - genuine
}

// genuinePairs returns every pair of one identity, or, when there are more than limit, a sample
// of limit of them: each drawn from all with equal probability, a pair may come twice.
func (g groups) genuinePairs(limit int, seed uint64) *pairSet {
	total, _ := g.count()
	if total <= limit {
		p := newPairSet(total, total)
		at := 0
		for k := range g.identities() {
			for i := g[k]; i < g[k+1]; i++ {
				for j := i + 1; j < g[k+1]; j++ {
					p.put(at, int32(i), int32(j))
					at++
				}
			}
		}
		return p
	}
	p := newPairSet(limit, total)
	ends := make([]int, g.identities()) // genuine pairs up to and with identity k
	sum := 0
	for k := range ends {
		n := g[k+1] - g[k]
		sum += n * (n - 1) / 2
		ends[k] = sum
	}
	r := rng.Stream(seed, "eval-genuine-pairs")
	for at := range limit {
		k := sort.SearchInts(ends, r.IntN(total)+1)
		n := g[k+1] - g[k]
		i, j := r.IntN(n), r.IntN(n-1)
		if j >= i {
			j++
		}
		p.put(at, int32(g[k]+min(i, j)), int32(g[k]+max(i, j)))
	}
	return p
}

// impostorPairs does the same with pairs of two identities.
func (g groups) impostorPairs(limit int, seed uint64) *pairSet {
	_, total := g.count()
	n := g.images()
	if total <= limit {
		p := newPairSet(total, total)
		at := 0
		for k := range g.identities() {
			for i := g[k]; i < g[k+1]; i++ {
				for j := g[k+1]; j < n; j++ {
					p.put(at, int32(i), int32(j))
					at++
				}
			}
		}
		return p
	}
	p := newPairSet(limit, total)
	r := rng.Stream(seed, "eval-impostor-pairs")
	for at := 0; at < limit; {
		i, j := r.IntN(n), r.IntN(n)
		if k := g.of(i); j >= g[k] && j < g[k+1] {
			continue
		}
		p.put(at, int32(min(i, j)), int32(max(i, j)))
		at++
	}
	return p
}

// measureBlock is how many pairs a worker takes at once.
const measureBlock = 1 << 13

// measure fills in the distances, with all CPUs.
func (p *pairSet) measure(ctx context.Context, e *Embeddings, distance func(a, b []float32) float64, bar progress.Reporter) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(measureBlock)) - measureBlock
				if from >= p.len() {
					return
				}
				to := min(from+measureBlock, p.len())
				for i := from; i < to; i++ {
					p.distance[i] = distance(e.Vector(int(p.a[i])), e.Vector(int(p.b[i])))
				}
				bar.Add(int64(to - from))
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// Hard is a pair that is judged wrongly, or nearly so.
type Hard struct {
	A, B     string
	Distance float64
}

// hardest returns the n pairs that are farthest (genuine) or nearest (impostor); of equally
// far ones those that come first by key, and a pair that was sampled twice once.
func (p *pairSet) hardest(e *Embeddings, n int, farthest bool) []Hard {
	sign := 1.0
	if farthest {
		sign = -1
	}
	less := func(x, y Hard) bool {
		if x.Distance != y.Distance {
			return sign*x.Distance < sign*y.Distance
		}
		if x.A != y.A {
			return x.A < y.A
		}
		return x.B < y.B
	}
	var out []Hard
	for i, d := range p.distance {
		if len(out) == n && sign*d > sign*out[n-1].Distance {
			continue
		}
		h := Hard{e.Keys[p.a[i]], e.Keys[p.b[i]], d}
		at := sort.Search(len(out), func(k int) bool { return !less(out[k], h) })
		if at < len(out) && out[at] == h {
			continue
		}
		out = append(out, Hard{})
		copy(out[at+1:], out[at:])
		out[at] = h
		out = out[:min(len(out), n)]
	}
	return out
}

// identityFolds deals the identities out to folds in random order, so that no identity is in
// two, and says how many folds there are and in which each pair is: the one that both its images
// are in, -1 where they are in two.
func (g groups) identityFolds(c *compared, want int, seed uint64) {
	c.folds = max(1, min(want, g.identities()/2))
	c.people = g.identities()
	foldOf := make([]int32, g.identities())
	for at, k := range rng.Stream(seed, "eval-folds").Perm(g.identities()) {
		foldOf[k] = int32(at % c.folds)
	}
	of := make([]int32, g.images())
	for k := range g.identities() {
		for i := g[k]; i < g[k+1]; i++ {
			of[i] = int32(k)
		}
	}
	place := func(p *pairSet) (folds []int32, who []person) {
		folds, who = make([]int32, p.len()), make([]person, p.len())
		for i := range folds {
			a, b := of[p.a[i]], of[p.b[i]]
			who[i] = person{a, b}
			if folds[i] = foldOf[a]; foldOf[b] != folds[i] {
				folds[i] = -1
			}
		}
		return folds, who
	}
	c.genuineFold, c.genuineWho = place(c.genuine)
	c.impostorFold, c.impostorWho = place(c.impostor)
}
