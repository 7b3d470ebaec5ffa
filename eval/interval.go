package eval

import "math"

// z95 is the 97.5 % point of the normal distribution.
const z95 = 1.959963984540054

// Wilson returns the 95 % score interval of k successes in n trials, in [0, 1]. The trials are
// taken as independent, which images of one identity are not quite: the true interval is wider.
//
// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
// of the American Statistical Association 22(158), 1927.
func Wilson(k, n int) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	p, m := float64(k)/float64(n), float64(n)
	const z2 = z95 * z95
	centre := (p + z2/(2*m)) / (1 + z2/m)
	half := z95 * math.Sqrt(p*(1-p)/m+z2/(4*m*m)) / (1 + z2/m)
	low, high = math.Max(0, centre-half), math.Min(1, centre+half)
	if k == 0 { // exactly, which the rounding of the formula is not
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}

// meanStd returns the mean and the population's standard deviation (divided by n), as the
// published evaluations of LFW do.
func meanStd(v []float64) (mean, std float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		std += float64((x - mean) * (x - mean))
	}
	return mean, math.Sqrt(std / float64(len(v)))
}
