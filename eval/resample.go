package eval

import (
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/rng"
)

// resamples is how often groups are drawn anew for an interval.
const resamples = 1000

// bounds are a range that holds the true value with 95 % confidence; NaN where there is none.
type bounds struct{ Low, High float64 }

// resampled returns the percentile bootstrap interval of several numbers at once: groups are drawn
// with replacement, as many as there are, and numbers takes their sums. Images of one group are alike,
// those of two are not: with identities as groups the interval is as wide as so few people make it.
//
// sums is groups x width; numbers must be the same for sums times a factor. Draws in which a number
// is NaN do not count for it. With fewer than two groups there is no interval.
//
// B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
func resampled(r *rng.Rand, sums [][]float64, numbers func(sum []float64) []float64) []bounds {
	if len(sums) == 0 {
		return nil
	}
	total := make([]float64, len(sums[0]))
	var drawn [][]float64 // by number
	for range resamples {
		clear(total)
		for range sums {
			for j, v := range sums[r.IntN(len(sums))] {
				total[j] += v
			}
		}
		for k, v := range numbers(total) {
			if k == len(drawn) {
				drawn = append(drawn, nil)
			}
			if !math.IsNaN(v) {
				drawn[k] = append(drawn[k], v)
			}
		}
	}
	out := make([]bounds, len(drawn))
	for k, v := range drawn {
		slices.Sort(v)
		out[k] = bounds{quantileOf(v, 0.025), quantileOf(v, 0.975)}
		if len(sums) < 2 {
			out[k] = bounds{math.NaN(), math.NaN()}
		}
	}
	return out
}

// quantileOf returns a quantile of sorted values, with a straight line between two of them (numpy's default); NaN of
// nothing.
func quantileOf(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + float64((at-float64(i))*(sorted[i+1]-sorted[i]))
}
