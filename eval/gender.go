package eval

import "math"

// GenderCounts are images by [truth][prediction], 0 male and 1 female.
type GenderCounts [2][2]int

// CountGenders counts equally long slices of 0 and 1.
func CountGenders(predicted, truth []int8) (c GenderCounts) {
	if len(predicted) != len(truth) {
		panic("eval: length mismatch")
	}
	for i, t := range truth {
		c[t][predicted[i]]++
	}
	return c
}

// N is the number of images.
func (c GenderCounts) N() int { return c[0][0] + c[0][1] + c[1][0] + c[1][1] }

// Accuracy is the share of images that are right; NaN of nothing.
func (c GenderCounts) Accuracy() float64 { return float64(c[0][0]+c[1][1]) / float64(c.N()) }

// Balanced is the mean of the shares of men and of women that are right, so that guessing has one
// half whatever the mixture; NaN where one of them is missing.
//
// K. H. Brodersen, C. S. Ong, K. E. Stephan, J. M. Buhmann, "The balanced accuracy and its posterior
// distribution", ICPR 2010.
func (c GenderCounts) Balanced() float64 {
	return (c.Recall(0) + c.Recall(1)) / 2
}

// Recall is the share of the images of a gender that are right; NaN where there are none.
func (c GenderCounts) Recall(gender int8) float64 {
	n := c[gender][0] + c[gender][1]
	if n == 0 {
		return math.NaN()
	}
	return float64(c[gender][gender]) / float64(n)
}

// Majority is the accuracy of always naming the gender that has more images.
func (c GenderCounts) Majority() float64 {
	return float64(max(c[0][0]+c[0][1], c[1][0]+c[1][1])) / float64(c.N())
}
