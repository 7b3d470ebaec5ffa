package curate

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Threshold is where a kind of noise begins, and what is known of it.
type Threshold struct {
	Value       *float64 `json:"value"`        // nil: nothing is flagged
	Source      string   `json:"source"`       // "data", "flag", or why the data give none
	Flagged     int      `json:"flagged"`      // beyond it
	FalseAlarms *float64 `json:"false_alarms"` // estimated share of these that are in order; nil unknown
	Known       int      `json:"known"`        // values that the estimate rests on
}

// The shares of the known values that are looked at for a threshold: below the first the foreign ones among few
// items may all lie beyond it, above the last there are hardly any left to find. Of strangers one in a hundred is
// left, which are as like as lookalikes; two albums of one person are far from any two people's, so of those more.
const (
	knownFrom      = 0.75
	knownStrangers = 0.99
	knownTwins     = 0.999
	knownSteps     = 250
)

// leastKnown is how many known values an estimate needs: the quantiles between knownFrom and knownStrangers of fewer
// say little.
const leastKnown = 20

// lowTail finds a threshold below which found values are mostly foreign, where known are values that are foreign for
// certain; both are sorted. Found values are a mixture: a share of foreign ones, distributed as known, and others
// that are larger.
//
// At any level the foreign share is at most found's share below it over known's share below it; the least of
// these bounds, up to the share to, is the estimate. The threshold is the highest level at which the estimated share
// of others among those below is at most alarms where counts are at their upper limits: a few finds are not cut
// short by chance. The false alarms that are told are those of the counts themselves.
//
// B. Efron, R. Tibshirani, J. D. Storey, V. Tusher, "Empirical Bayes analysis of a microarray experiment", JASA
// 96(456), 2001, pp. 1151-1160: two groups, one of which is known; J. D. Storey, "A direct approach to false
// discovery rates", JRSS B 64(3), 2002, pp. 479-498: the share of the known one.
func lowTail(found, known []float64, to, alarms float64) Threshold {
	if len(known) < leastKnown {
		return Threshold{Source: "too few identities", Known: len(known)}
	}
	level := func(step int) float64 {
		return tailQuantile(known, knownFrom+(to-knownFrom)*float64(step)/(knownSteps-1))
	}
	share := func(t float64) float64 { return float64(countBelow(known, t)) / float64(len(known)) }
	most, likely := math.Inf(1), math.Inf(1) // foreign ones among found
	for step := range knownSteps {
		t := level(step)
		k := countBelow(found, t)
		most, likely = min(most, atMost(k)/share(t)), min(likely, float64(k)/share(t))
	}
	for step := knownSteps - 1; step >= 0; step-- {
		t := level(step)
		k := countBelow(found, t)
		others := func(foreign float64) float64 { return max(0, 1-foreign*share(t)/float64(max(k, 1))) }
		if k == 0 || others(most) <= alarms {
			wrong := 0.0
			if k > 0 {
				wrong = others(likely)
			}
			return Threshold{Value: &t, Source: "data", Flagged: k, FalseAlarms: &wrong, Known: len(known)}
		}
	}
	return Threshold{Source: "nothing stands out", Known: len(known)}
}

// unlessMost takes back a threshold beyond which most of all values are: then strangers are as like each other as
// images of one person, as in embeddings of a network that has learnt nothing.
func (o Threshold) unlessMost(all int) Threshold {
	if o.Value == nil || 2*o.Flagged <= all {
		return o
	}
	return Threshold{Source: "the embeddings do not tell people apart", Known: o.Known}
}

// atMost is the upper limit, at 95 % or a little more, of what is to be expected where k were counted. Where nothing
// was, nothing is expected: else every set would have some noise.
func atMost(k int) float64 {
	if k == 0 {
		return 0
	}
	return float64(k) + 2*math.Sqrt(float64(k)) + 2 // Poisson's own: 4.7 of 1, 6.3 of 2, 10.5 of 5, 17.0 of 10
}

// tailQuantile is [quantile], and beyond the last but one of few values that of a normal distribution's tail through
// it and the quantile knownFrom: what the hundredth value would be cannot be read off twenty.
func tailQuantile(sorted []float64, q float64) float64 {
	last := 1 - 1/float64(len(sorted))
	if q <= last || last <= knownFrom {
		return quantile(sorted, q)
	}
	from, to := quantile(sorted, knownFrom), quantile(sorted, last)
	z := normalQuantile(knownFrom)
	return max(sorted[len(sorted)-1], from+float64((to-from)*(normalQuantile(q)-z)/(normalQuantile(last)-z)))
}

// normalQuantile returns the value that a standard normal distribution does not exceed with probability q, 0.5 to
// 0.9999, by halving: sums and products alone, which every CPU rounds alike.
func normalQuantile(q float64) float64 {
	below := func(z float64) float64 { // 1/2 + 1/sqrt(2 pi) * (z - z^3/(2*3) + z^5/(2^2*2!*5) - ..)
		sum, term := 0.0, z
		for k := range 80 {
			sum += term / float64(2*k+1)
			term *= -z * z / float64(2*(k+1))
		}
		return 0.5 + float64(sum*0.3989422804014327)
	}
	lo, hi := 0.0, 4.0
	for range 50 {
		if mid := (lo + hi) / 2; below(mid) < q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// countBelow counts the sorted values that are at most t.
func countBelow(sorted []float64, t float64) int {
	return sort.Search(len(sorted), func(i int) bool { return sorted[i] > t })
}

// negated returns the values with their signs changed, sorted.
func negated(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = -x
	}
	slices.Sort(out)
	return out
}

// highTail is lowTail for values above which found ones are mostly of a known kind.
func highTail(found, known []float64, to, alarms float64) Threshold {
	out := lowTail(negated(found), negated(known), to, alarms)
	if out.Value != nil {
		v := -*out.Value
		out.Value = &v
	}
	return out
}

// stepUp finds the threshold at or above which found values are seldom such as usual ones reach: each found value's
// p-value is the share of the usual that reach it, one more counted on either side.
//
// Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57(1), 1995, pp. 289-300.
func stepUp(found, usual []float64, alarms float64) Threshold {
	if len(usual) < leastKnown {
		return Threshold{Source: "too few images", Known: len(usual)}
	}
	down := negated(found) // the largest first
	up := slices.Clone(usual)
	slices.Sort(up)
	out := Threshold{Source: "nothing stands out", Known: len(usual)}
	for i := len(down) - 1; i >= 0; i-- {
		t := -down[i]
		reach := len(up) - sort.SearchFloat64s(up, t)
		p := float64(reach+1) / float64(len(up)+1)
		if wrong := min(1, p*float64(len(down))/float64(i+1)); wrong <= alarms {
			return Threshold{Value: &t, Source: "data", Flagged: i + 1, FalseAlarms: &wrong, Known: len(usual)}
		}
	}
	return out
}

// given is a threshold of the user's.
func given(t *float64, o Threshold) Threshold {
	if t != nil {
		o.Value, o.Source, o.FalseAlarms, o.Flagged = t, "flag", nil, 0
	}
	return o
}

func (o Threshold) String() string {
	if o.Value == nil {
		return o.Source
	}
	text := fmt.Sprintf("%.4f by %s, %d flagged", *o.Value, o.Source, o.Flagged)
	if o.FalseAlarms != nil {
		text += fmt.Sprintf(", %.3f false alarms", *o.FalseAlarms)
	}
	return text
}
