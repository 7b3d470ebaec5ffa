package eval

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// Intervals are 95 % intervals by the bootstrap over identities; null where none was made or the
// rate itself is not reachable.
//
// Pairs that share a person are not independent, so people are drawn, not pairs: of the n people
// whose pairs were used, n are drawn with replacement, person k coming w(k) times. A pair of two
// people k and l then counts w(k)*w(l) times, a pair of images of one person k counts w(k) times.
// Of the numbers that B such samples give, the interval goes from the 2.5 % to the 97.5 % point,
// interpolated linearly between neighbours. Thresholds of the accuracy are chosen anew in each
// sample; the folds stay as they are. A sample without genuine or without impostor pairs, as few
// people make them, gives no number and is not counted in Used.
//
// B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993; resampling people instead
// of scores: R. M. Bolle, N. K. Ratha, S. Pankanti, "Error analysis of pattern recognition
// systems - the subsets bootstrap", CVIU 93(1), 2004; pairs of two drawn people: T. A. B.
// Snijders, S. P. Borgatti, "Non-parametric standard errors and tests for network statistics",
// Connections 22(2), 1999, here without pairs of a person with a copy of that person.
type Intervals struct {
	Replicates   int      `json:"bootstrap"`
	Used         int      `json:"bootstrap_used"`
	Identities   int      `json:"bootstrap_identities"`
	AccuracyLow  *float64 `json:"accuracy_low"`
	AccuracyHigh *float64 `json:"accuracy_high"`
	AUCLow       *float64 `json:"auc_low"`
	AUCHigh      *float64 `json:"auc_high"`
	EERLow       *float64 `json:"eer_low"`
	EERHigh      *float64 `json:"eer_high"`
	TAR1Low      *float64 `json:"tar_at_far_1e-1_low"`
	TAR1High     *float64 `json:"tar_at_far_1e-1_high"`
	TAR2Low      *float64 `json:"tar_at_far_1e-2_low"`
	TAR2High     *float64 `json:"tar_at_far_1e-2_high"`
	TAR3Low      *float64 `json:"tar_at_far_1e-3_low"`
	TAR3High     *float64 `json:"tar_at_far_1e-3_high"`
	TAR4Low      *float64 `json:"tar_at_far_1e-4_low"`
	TAR4High     *float64 `json:"tar_at_far_1e-4_high"`
	TAR5Low      *float64 `json:"tar_at_far_1e-5_low"`
	TAR5High     *float64 `json:"tar_at_far_1e-5_high"`
	TAR6Low      *float64 `json:"tar_at_far_1e-6_low"`
	TAR6High     *float64 `json:"tar_at_far_1e-6_high"`
}

// weighed is a pair as the bootstrap sees it.
type weighed struct {
	a, b    int32 // people
	fold    int16 // -1: in none
	at      int16 // index in the grid of thresholds
	genuine bool
	tie     bool // the pair that follows is as far apart
}

// bootstrap draws samples of people.
type bootstrap struct {
	pairs       []weighed // by distance
	people      int
	folds       int
	development foldCounts // pairs that the threshold is chosen on instead; not resampled
	balanced    bool
	seed        uint64
}

// measured is a pair with its distance.
type measured struct {
	distance float64
	weighed
}

// newBootstrap sorts the pairs in place. Folds without pairs of both kinds are left out, as
// holdOut leaves them out; without any, all pairs are one.
func newBootstrap(pairs []measured, people, folds int, development *Fold, balanced bool, g grid, seed uint64) *bootstrap {
	slices.SortFunc(pairs, func(x, y measured) int {
		switch {
		case x.distance < y.distance:
			return -1
		case x.distance > y.distance:
			return 1
		}
		return 0
	})
	b := &bootstrap{pairs: make([]weighed, len(pairs)), people: people, folds: folds, balanced: balanced, seed: seed}
	both := make([][2]bool, folds)
	for _, p := range pairs {
		if p.fold >= 0 {
			both[p.fold][b2i(p.genuine)] = true
		}
	}
	whole := !slices.Contains(both, [2]bool{true, true})
	if whole {
		b.folds = 1
	}
	for i, p := range pairs {
		b.pairs[i] = p.weighed
		q := &b.pairs[i]
		q.tie = i+1 < len(pairs) && pairs[i+1].distance == p.distance
		q.at = int16(g.index(p.distance))
		switch {
		case whole:
			q.fold = 0
		case q.fold >= 0 && both[q.fold] != [2]bool{true, true}:
			q.fold = -1
		}
	}
	if development != nil {
		b.development = countFold(*development, g)
	}
	return b
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// draw returns how often each person comes in sample k.
func (b *bootstrap) draw(k int) []int {
	r := rng.Stream(b.seed, "eval-bootstrap", k)
	w := make([]int, b.people)
	for range w {
		w[r.IntN(len(w))]++
	}
	return w
}

// bootNumbers is what one sample gives: accuracy, AUC, EER and TAR at FAR 1e-1 to 1e-6.
type bootNumbers [9]float64

// weightOf returns how often a pair counts.
func (p *weighed) weightOf(w []int) int {
	if p.a == p.b {
		return w[p.a]
	}
	return w[p.a] * w[p.b]
}

// sample counts everything with weights; false where a kind of pairs has none.
func (b *bootstrap) sample(w []int, counts []foldCounts) (out bootNumbers, ok bool) {
	clear(counts)
	genuine, impostor := 0, 0
	for i := range b.pairs {
		p := &b.pairs[i]
		n := p.weightOf(w)
		if n == 0 {
			continue
		}
		c := (*foldCounts)(nil)
		if p.fold >= 0 {
			c = &counts[p.fold]
		}
		if p.genuine {
			genuine += n
			if c != nil {
				c.genuine += n
				if p.at < gridSteps {
					c.ta[p.at] += n
				}
			}
			continue
		}
		impostor += n
		if c != nil {
			c.impostor += n
			if p.at < gridSteps {
				c.fa[p.at] += n
			}
		}
	}
	if genuine == 0 || impostor == 0 {
		return out, false
	}
	if out[0], ok = b.accuracy(counts); !ok {
		return out, false
	}
	b.curve(w, genuine, impostor, &out)
	return out, true
}

// accuracy is that of holdOut.
func (b *bootstrap) accuracy(counts []foldCounts) (float64, bool) {
	var used []foldCounts
	var all foldCounts
	for i := range counts {
		c := &counts[i]
		if c.genuine == 0 || c.impostor == 0 {
			continue
		}
		accumulate(&c.ta)
		accumulate(&c.fa)
		used = append(used, *c)
		all.add(*c, 1)
	}
	if len(used) == 0 {
		return 0, false
	}
	mean, _ := meanStd(accuracies(used, all, b.development, b.balanced))
	return mean, true
}

// curve walks over the thresholds once, as Points, AUC, EER and TARAtFAR of ROC do.
func (b *bootstrap) curve(w []int, genuine, impostor int, out *bootNumbers) {
	ng, ni := float64(genuine), float64(impostor)
	var allowed [6]int
	for k := range allowed {
		allowed[k] = allowedAccepts(math.Pow10(-k-1), impostor)
	}
	open := len(allowed) // bounds that the threshold still keeps, the widest first
	var twice uint64
	g, i, lastG, lastI := 0, 0, 0, 0
	crossed := false
	for k := range b.pairs {
		p := &b.pairs[k]
		n := p.weightOf(w)
		if p.genuine {
			g += n
		} else {
			i += n
		}
		if p.tie || g == lastG && i == lastI {
			continue
		}
		twice += uint64(i-lastI) * uint64(g+lastG)
		for open > 0 && i > allowed[open-1] {
			open--
			out[3+open] = float64(lastG) / ng
		}
		if !crossed {
			f, m := float64(i)/ni, float64(genuine-g)/ng
			if f >= m {
				far, frr := float64(lastI)/ni, float64(genuine-lastG)/ng
				before, after := far-frr, f-m
				share := -before / (after - before)
				out[2] = far + float64(share*(f-far))
				crossed = true
			}
		}
		lastG, lastI = g, i
	}
	for open > 0 {
		open--
		out[3+open] = 1
	}
	out[1] = float64(twice) / 2 / (ng * ni)
}

// run draws n samples with all CPUs and returns the numbers of those that have any.
func (b *bootstrap) run(ctx context.Context, n int, bar progress.Reporter) ([]bootNumbers, error) {
	bar.Start(int64(n), "bootstrap")
	defer bar.Done()
	all, ok := make([]bootNumbers, n), make([]bool, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			counts := make([]foldCounts, b.folds)
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= n {
					return
				}
				all[k], ok[k] = b.sample(b.draw(k), counts)
				bar.Add(1)
			}
		})
	}
	wg.Wait()
	var out []bootNumbers
	for k := range all {
		if ok[k] {
			out = append(out, all[k])
		}
	}
	return out, ctx.Err()
}

// intervals fills in what n samples give; reachable says which TARs exist.
func (b *bootstrap) intervals(ctx context.Context, n int, rates []Rate, bar progress.Reporter) (Intervals, error) {
	samples, err := b.run(ctx, n, bar)
	x := Intervals{Replicates: n, Used: len(samples), Identities: b.people}
	if err != nil || len(samples) == 0 {
		return x, err
	}
	for j, to := range [][2]**float64{{&x.AccuracyLow, &x.AccuracyHigh}, {&x.AUCLow, &x.AUCHigh}, {&x.EERLow, &x.EERHigh},
		{&x.TAR1Low, &x.TAR1High}, {&x.TAR2Low, &x.TAR2High}, {&x.TAR3Low, &x.TAR3High},
		{&x.TAR4Low, &x.TAR4High}, {&x.TAR5Low, &x.TAR5High}, {&x.TAR6Low, &x.TAR6High}} {
		if j >= 3 && !rates[j-3].Reachable {
			continue
		}
		v := make([]float64, len(samples))
		for i := range samples {
			v[i] = samples[i][j]
		}
		slices.Sort(v)
		*to[0], *to[1] = value(quantileOf(v, 0.025)), value(quantileOf(v, 0.975))
	}
	return x, nil
}
