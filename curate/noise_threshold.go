package curate

import (
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
// items may all lie beyond it, above the last there are none left to find.
const (
	knownFrom  = 0.75
	knownTo    = 0.999
	knownSteps = 250
)

// leastKnown is how many known values an estimate needs: the quantiles between knownFrom and knownTo of fewer
// say little.
const leastKnown = 20

// lowTail finds a threshold below which found values are mostly foreign, where known are values that are foreign for
// certain; both are sorted. Found values are a mixture: a share of foreign ones, distributed as known, and others
// that are larger.
//
// At any level the foreign share is at most found's share below it over known's share below it; the least of
// these bounds, with one standard error for the count, is the estimate. The threshold is the highest level at which
// the estimated share of others among those below is at most alarms.
//
// B. Efron, R. Tibshirani, J. D. Storey, V. Tusher, "Empirical Bayes analysis of a microarray experiment", JASA
// 96(456), 2001, pp. 1151-1160: two groups, one of which is known; J. D. Storey, "A direct approach to false
// discovery rates", JRSS B 64(3), 2002, pp. 479-498: the share of the known one.
func lowTail(found, known []float64, alarms float64) Threshold {
	if len(known) < leastKnown {
		return Threshold{Source: "too few identities", Known: len(known)}
	}
	level := func(step int) float64 {
		return quantile(known, knownFrom+(knownTo-knownFrom)*float64(step)/(knownSteps-1))
	}
	share := func(t float64) float64 { return float64(countBelow(known, t)) / float64(len(known)) }
	foreign := math.Inf(1)
	for step := range knownSteps {
		t := level(step)
		k := float64(countBelow(found, t))
		foreign = min(foreign, (k+math.Sqrt(k))/share(t))
	}
	out := Threshold{Source: "data", Known: len(known)}
	for step := knownSteps - 1; step >= 0; step-- {
		t := level(step)
		if out = out.at(t, found, func(t float64) float64 { return foreign * share(t) }); *out.FalseAlarms <= alarms {
			break
		}
	}
	if *out.FalseAlarms > alarms { // nothing foreign was found
		out.Value, out.Flagged, out.FalseAlarms, out.Source = nil, 0, nil, "nothing stands out"
	}
	return out
}

// at fills in what a threshold finds; foreign is how many of these are expected to be so.
func (o Threshold) at(t float64, found []float64, foreign func(t float64) float64) Threshold {
	k := countBelow(found, t)
	wrong := 0.0
	if k > 0 {
		wrong = max(0, 1-foreign(t)/float64(k))
	}
	o.Value, o.Flagged, o.FalseAlarms = &t, k, &wrong
	return o
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
func highTail(found, known []float64, alarms float64) Threshold {
	out := lowTail(negated(found), negated(known), alarms)
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
