package eval

import (
	"fmt"
	"math"
	"sort"
)

// Fold is the distances of one fold's pairs.
type Fold struct{ Genuine, Impostor []float64 }

// Held is what thresholds chosen on the other folds do on the fold held out.
type Held struct {
	Accuracy, AccuracyStd float64 // mean and deviation over the folds
	Accuracies            []float64
	Folds                 int     // folds used; 1: nothing was held out
	LeftOut               int     // folds without a genuine or without an impostor pair
	Threshold             float64 // best one on all the folds' pairs together, or on the development pairs

	VAL, VALStd float64 // TAR on the held-out folds at the others' threshold for FAR 1e-3
	VALFAR      float64 // FAR on the held-out folds at that threshold
	VALReached  bool    // the impostor pairs suffice for FAR 1e-3
}

// valFAR is the false accept rate of the field's validation rate.
const valFAR = 1e-3

// HoldOut takes one fold after another as the test of a threshold that is chosen on all the
// others: the one of the grid 0, 0.01, .. 4 with the best accuracy there, of equally good ones
// the smallest. Accuracy is the share of pairs decided rightly, or, when balanced, the mean of
// the genuine pairs' share and the impostor pairs' share: the same thing where both are equally
// many, as in LFW, and not dominated by impostors where they are not.
//
// With a single fold the threshold is chosen on the pairs that it is tested on.
//
// G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the Wild: A database for
// studying face recognition in unconstrained environments", 2007 (View 2); grid and VAL:
// F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet", CVPR 2015, and its public evaluations.
func HoldOut(folds []Fold, balanced bool) (Held, error) {
	return holdOut(folds, nil, balanced, squaredGrid)
}

// holdOut is HoldOut with the thresholds of another grid, or, where development is not nil, with
// the threshold that is best on those pairs instead of on the other folds (LFW's View 1).
func holdOut(folds []Fold, development *Fold, balanced bool, g grid) (Held, error) {
	var used []Fold
	var h Held
	for _, f := range folds {
		if len(f.Genuine) == 0 || len(f.Impostor) == 0 {
			h.LeftOut++
			continue
		}
		used = append(used, f)
	}
	if len(used) == 0 {
		return h, fmt.Errorf("%w: none of %d folds has both genuine and impostor pairs", ErrNoPairs, len(folds))
	}
	h.Folds = len(used)
	counts := make([]foldCounts, len(used))
	var all foldCounts
	for i, f := range used {
		counts[i] = countFold(f, g)
		all.add(counts[i], 1)
	}
	var dev foldCounts
	h.Threshold = g.threshold(all.best(balanced))
	if development != nil {
		dev = countFold(*development, g)
		h.Threshold = g.threshold(dev.best(balanced))
	}
	h.Accuracies = accuracies(counts, all, dev, balanced)

	var vals, fars []float64
	h.VALReached = true
	for i, f := range used {
		train := used
		if len(used) > 1 {
			train = append(append([]Fold(nil), used[:i]...), used[i+1:]...)
		}
		if development != nil {
			train = []Fold{*development}
		}
		bound, ok := boundForFAR(train, valFAR)
		h.VALReached = h.VALReached && ok
		vals = append(vals, shareBelow(f.Genuine, bound))
		fars = append(fars, shareBelow(f.Impostor, bound))
	}
	h.Accuracy, h.AccuracyStd = meanStd(h.Accuracies)
	h.VAL, h.VALStd = meanStd(vals)
	h.VALFAR, _ = meanStd(fars)
	if !h.VALReached {
		h.VAL, h.VALStd, h.VALFAR = math.NaN(), math.NaN(), math.NaN()
	}
	return h, nil
}

// accuracies returns each fold's accuracy at the threshold that is best on all the others, or on
// the development pairs where there are any. all is the sum of the folds.
func accuracies(folds []foldCounts, all, development foldCounts, balanced bool) (out []float64) {
	for i := range folds {
		train := &development
		if development.genuine+development.impostor == 0 {
			others := all
			if len(folds) > 1 {
				others.add(folds[i], -1)
			}
			train = &others
		}
		out = append(out, folds[i].accuracy(train.best(balanced), balanced))
	}
	return out
}

// foldCounts holds how many pairs each threshold of the grid accepts.
type foldCounts struct {
	genuine, impostor int
	ta, fa            [gridSteps]int
}

func countFold(f Fold, g grid) foldCounts {
	c := foldCounts{genuine: len(f.Genuine), impostor: len(f.Impostor)}
	count := func(to *[gridSteps]int, distances []float64) {
		for _, d := range distances {
			if i := g.index(d); i < gridSteps {
				to[i]++
			}
		}
		accumulate(to)
	}
	count(&c.ta, f.Genuine)
	count(&c.fa, f.Impostor)
	return c
}

// accumulate makes pairs up to and with each threshold of pairs at each.
func accumulate(v *[gridSteps]int) {
	for i := 1; i < gridSteps; i++ {
		v[i] += v[i-1]
	}
}

func (c *foldCounts) add(o foldCounts, sign int) {
	c.genuine += sign * o.genuine
	c.impostor += sign * o.impostor
	for i := range c.ta {
		c.ta[i] += sign * o.ta[i]
		c.fa[i] += sign * o.fa[i]
	}
}

func (c *foldCounts) accuracy(i int, balanced bool) float64 {
	right := c.impostor - c.fa[i]
	if balanced {
		return (float64(c.ta[i])/float64(c.genuine) + float64(right)/float64(c.impostor)) / 2
	}
	return float64(c.ta[i]+right) / float64(c.genuine+c.impostor)
}

func (c *foldCounts) best(balanced bool) int {
	best := 0
	for i := range c.ta {
		if c.accuracy(i, balanced) > c.accuracy(best, balanced) {
			best = i
		}
	}
	return best
}

// boundForFAR returns the smallest distance that must be refused to keep the FAR over all the
// folds at most far, and whether they have impostor pairs enough.
func boundForFAR(folds []Fold, far float64) (float64, bool) {
	var all []float64
	for _, f := range folds {
		all = append(all, f.Impostor...)
	}
	allowed := allowedAccepts(far, len(all))
	if allowed >= len(all) {
		return math.Inf(1), true
	}
	sort.Float64s(all)
	return all[allowed], allowed >= 1
}

func shareBelow(v []float64, bound float64) float64 {
	n := 0
	for _, d := range v {
		if d < bound {
			n++
		}
	}
	return float64(n) / float64(len(v))
}
