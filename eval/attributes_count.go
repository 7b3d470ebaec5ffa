package eval

import (
	"fmt"
	"math"

	"github.com/vf2prep/vf2prep/rng"
)

const (
	csYears   = 5  // the field's CS(5)
	curveEnds = 30 // years, of the curve of cumulative scores
)

// judgedAges are the images whose age has a label and an estimate.
type judgedAges struct {
	estimate, truth, sigma []float64
	gender                 []int8 // labels
	group                  []int  // what is drawn anew together
}

func (j *judgedAges) add(e Estimate, group int) {
	j.estimate, j.truth = append(j.estimate, e.Age), append(j.truth, e.AgeLabel)
	j.sigma, j.gender, j.group = append(j.sigma, e.Sigma), append(j.gender, e.GenderLabel), append(j.group, group)
}

// only returns the images that keep says.
func (j *judgedAges) only(keep func(i int) bool) (out judgedAges) {
	for i := range j.truth {
		if keep(i) {
			out.add(Estimate{Age: j.estimate[i], AgeLabel: j.truth[i], Sigma: j.sigma[i], GenderLabel: j.gender[i]}, j.group[i])
		}
	}
	return out
}

// count turns the estimates, sorted by key, into the result's numbers.
func (r *Attributes) count(o AttributeOptions) {
	r.Images = len(r.Estimates)
	r.LabelDigest = labelDigest(r.Estimates)
	if o.Sigma > 0 {
		r.AgeSigma = &o.Sigma
	}
	groups := r.groups()
	var ages judgedAges
	var genders []int // of the groups
	var predicted, truth []int8
	consistent, inversions := 0, 0
	for i, e := range r.Estimates {
		if math.IsNaN(e.Sigma) && o.Sigma > 0 {
			e.Sigma = o.Sigma
		}
		some := false
		switch {
		case !r.heads.age:
		case math.IsNaN(e.AgeLabel):
			r.skip(e.Key, noAgeLabel, &r.AgeNoLabel)
		case math.IsNaN(e.Age):
			r.skip(e.Key, noAgePrediction, &r.AgeNoEstimate)
		default:
			ages.add(e, groups[i])
			some = true
		}
		switch {
		case !r.heads.gender:
		case e.GenderLabel < 0:
			r.skip(e.Key, noGenderLabel, &r.GenderNoLabel)
		case e.Gender < 0:
			r.skip(e.Key, noGenderPrediction, &r.GenderNoEstimate)
		default:
			predicted, truth, genders = append(predicted, e.Gender), append(truth, e.GenderLabel), append(genders, groups[i])
			some = true
		}
		if e.Inversions >= 0 { // needs no label
			r.RankN++
			inversions += e.Inversions
			if e.Inversions == 0 {
				consistent++
			}
		}
		if !some {
			r.Skipped++
		}
	}
	r.RankConsistent = value(float64(consistent) / float64(r.RankN))
	r.RankInversions = value(float64(inversions) / float64(r.RankN))
	r.countAges(ages)
	r.Genders = CountGenders(predicted, truth)
	r.countGenders(predicted, truth, genders)
}

func (r *Attributes) skip(key, reason string, n *int) {
	*n++
	detail := map[string]string{
		noAgeLabel: "the age is not known", noGenderLabel: "the gender is not known",
		noAgePrediction: "no age was predicted", noGenderPrediction: "no gender was predicted",
	}[reason]
	r.Skips = append(r.Skips, Skip{key, reason, detail})
}

// groups numbers what an interval draws anew: identities, where there are two at least and one has
// more images than one; else images.
func (r *Attributes) groups() []int {
	out := make([]int, len(r.Estimates))
	n := 0
	for i, e := range r.Estimates {
		if i > 0 && identityOf(e.Key) != identityOf(r.Estimates[i-1].Key) {
			n++
		}
		out[i] = n
	}
	r.Identities = n + 1
	r.IntervalOver = "identities"
	if r.Identities < 2 || r.Identities == len(r.Estimates) {
		r.IntervalOver = "images"
		for i := range out {
			out[i] = i
		}
	}
	return out
}

func (r *Attributes) countAges(a judgedAges) {
	r.AgeN = len(a.truth)
	r.AgeMAE, r.AgeBias = value(AgeMAE(a.estimate, a.truth)), value(AgeBias(a.estimate, a.truth))
	r.AgeCS5 = value(CumulativeScore(a.estimate, a.truth, csYears))
	r.AgeConstant = value(ConstantMAE(a.truth))
	sure := a.only(func(i int) bool { return !math.IsNaN(a.sigma[i]) })
	r.AgeEpsilonN = len(sure.truth)
	r.AgeEpsilon = value(EpsilonError(sure.estimate, sure.truth, sure.sigma))

	// Sums by group: images, |d|, d, |d| <= 5; images with a sigma, their epsilon errors.
	var sums [][]float64
	last := -1
	for i, g := range a.group {
		if g != last {
			sums, last = append(sums, make([]float64, 6)), g
		}
		s, d := sums[len(sums)-1], a.estimate[i]-a.truth[i]
		s[0]++
		s[1] += math.Abs(d)
		s[2] += d
		s[3] += oneIf(math.Abs(d) <= csYears)
		if !math.IsNaN(a.sigma[i]) {
			s[4]++
			s[5] += epsilonError(d, a.sigma[i])
		}
	}
	ends := resampled(rng.Stream(r.Seed, "attributes-interval", "age"), sums, func(s []float64) []float64 {
		return []float64{s[1] / s[0], s[2] / s[0], s[3] / s[0], s[5] / s[4]}
	})
	for k, to := range [][2]**float64{{&r.AgeMAELow, &r.AgeMAEHigh}, {&r.AgeBiasLow, &r.AgeBiasHigh},
		{&r.AgeCS5Low, &r.AgeCS5High}, {&r.AgeEpsilonLow, &r.AgeEpsilonHigh}} {
		if ends != nil {
			*to[0], *to[1] = value(ends[k].Low), value(ends[k].High)
		}
	}
	if r.AgeN == 0 {
		return
	}
	for years := range curveEnds + 1 {
		r.Curve = append(r.Curve, CumulativeScore(a.estimate, a.truth, float64(years)))
	}
	for decade := 0; decade <= maxAgeLabel; decade += 10 {
		r.group("decade", fmt.Sprintf("%d-%d", decade, decade+9), a.only(func(i int) bool {
			return a.truth[i] >= float64(decade) && a.truth[i] < float64(decade+10)
		}))
	}
	r.AgeMAEMale = r.group("gender", genderName(0), a.only(func(i int) bool { return a.gender[i] == 0 }))
	r.AgeMAEFemale = r.group("gender", genderName(1), a.only(func(i int) bool { return a.gender[i] == 1 }))
}

// group adds a row of errors and returns their mean; nil for no image.
func (r *Attributes) group(by, name string, a judgedAges) *float64 {
	if len(a.truth) == 0 {
		return nil
	}
	mae := AgeMAE(a.estimate, a.truth)
	r.Groups = append(r.Groups, AgeGroup{by, name, len(a.truth), mae, AgeBias(a.estimate, a.truth), CumulativeScore(a.estimate, a.truth, csYears)})
	return &mae
}

func (r *Attributes) countGenders(predicted, truth []int8, group []int) {
	c := r.Genders
	r.GenderN = c.N()
	r.GenderMM, r.GenderMF, r.GenderFM, r.GenderFF = c[0][0], c[0][1], c[1][0], c[1][1]
	r.GenderAccuracy, r.GenderBalanced, r.GenderMajority = value(c.Accuracy()), value(c.Balanced()), value(c.Majority())
	var sums [][]float64 // by group: the four counts
	last := -1
	for i, g := range group {
		if g != last {
			sums, last = append(sums, make([]float64, 4)), g
		}
		sums[len(sums)-1][2*truth[i]+predicted[i]]++
	}
	ends := resampled(rng.Stream(r.Seed, "attributes-interval", "gender"), sums, func(s []float64) []float64 {
		c := GenderCounts{{int(s[0]), int(s[1])}, {int(s[2]), int(s[3])}}
		return []float64{c.Accuracy(), c.Balanced()}
	})
	if ends != nil {
		r.GenderAccuracyLow, r.GenderAccuracyHigh = value(ends[0].Low), value(ends[0].High)
		r.GenderBalancedLow, r.GenderBalancedHigh = value(ends[1].Low), value(ends[1].High)
	}
}
