package eval

import (
	"math"
	"slices"
)

// Ages are in years. The functions take equally long slices, an image a place, and panic where they
// differ in length; the mean of nothing is NaN.

// AgeMAE is the mean absolute error: the mean of |estimate - truth|, years.
func AgeMAE(estimate, truth []float64) float64 {
	return meanOf(estimate, truth, func(i int, d float64) float64 { return math.Abs(d) })
}

// AgeBias is the mean of estimate - truth, years: above 0 where faces are taken for older.
func AgeBias(estimate, truth []float64) float64 {
	return meanOf(estimate, truth, func(i int, d float64) float64 { return d })
}

// CumulativeScore is CS(within): the share of images with |estimate - truth| <= within years.
//
// X. Geng, Z.-H. Zhou, K. Smith-Miles, "Automatic age estimation based on facial aging patterns",
// IEEE TPAMI 29(12), 2007.
func CumulativeScore(estimate, truth []float64, within float64) float64 {
	return meanOf(estimate, truth, func(i int, d float64) float64 { return oneIf(math.Abs(d) <= within) })
}

// EpsilonError is the error of the LAP challenge, the mean of 1 - exp(-(estimate - truth)^2 /
// (2 sigma^2)): from 0 to 1, 1 - 1/sqrt(e) at an error of one sigma. sigma is the deviation of what
// people say of each image, years, above 0.
//
// S. Escalera et al., "ChaLearn Looking at People 2015: Apparent age and cultural event recognition
// datasets and results", ICCV Workshops 2015.
func EpsilonError(estimate, truth, sigma []float64) float64 {
	if len(sigma) != len(truth) {
		panic("eval: length mismatch")
	}
	return meanOf(estimate, truth, func(i int, d float64) float64 { return epsilonError(d, sigma[i]) })
}

func epsilonError(d, sigma float64) float64 {
	z := d / sigma
	return -math.Expm1(-float64(z*z) / 2)
}

// ConstantMAE is the mean absolute error of the best guess that knows no image: the median of truth.
func ConstantMAE(truth []float64) float64 {
	if len(truth) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(truth))
	median := s[len(s)/2] // any value between the two in the middle is as good
	sum := 0.0
	for _, v := range s {
		sum += math.Abs(v - median)
	}
	return sum / float64(len(s))
}

func meanOf(estimate, truth []float64, of func(i int, d float64) float64) float64 {
	if len(estimate) != len(truth) {
		panic("eval: length mismatch")
	}
	sum := 0.0
	for i := range truth {
		sum += of(i, estimate[i]-truth[i])
	}
	return sum / float64(len(truth)) // 0/0 is NaN
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Inversions counts the contradictions among answers to "older than k?", k = 0, 1, ..: the pairs of
// a no and a yes to a higher k. Answers without any are consistent: yes up to an age, no from there.
//
// S. Chen, C. Zhang, M. Dong, J. Le, M. Rao, "Using Ranking-CNN for Age Estimation", CVPR 2017: the
// error of the final age is bounded by that of the ranks only where these are consistent.
func Inversions(older []bool) (pairs int) {
	no := 0
	for _, yes := range older {
		if yes {
			pairs += no
		} else {
			no++
		}
	}
	return pairs
}
