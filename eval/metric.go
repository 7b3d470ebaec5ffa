package eval

import (
	"fmt"
	"math"
)

// Metric is how far apart two embeddings are; smaller is more alike.
type Metric string

// The metrics. Of vectors of length 1 the squared Euclidean distance is 2 - 2c where c is their
// cosine similarity, so both put pairs in the same order.
const (
	SquaredEuclidean Metric = "squared-euclidean" // 0 to 4 for vectors of length 1
	Cosine           Metric = "cosine"            // 1 - c, 0 to 2
)

// ParseMetric reads a metric's name; "" is [SquaredEuclidean].
func ParseMetric(name string) (Metric, error) {
	switch m := Metric(name); m {
	case "":
		return SquaredEuclidean, nil
	case SquaredEuclidean, Cosine:
		return m, nil
	}
	return "", fmt.Errorf("metric %q, want %s or %s", name, SquaredEuclidean, Cosine)
}

// distance returns the function that measures.
func (m Metric) distance() func(a, b []float32) float64 {
	if m == Cosine {
		return cosineDistance
	}
	return squaredDistance
}

// title names the distance for people.
func (m Metric) title() string {
	if m == Cosine {
		return "1 - cosine similarity"
	}
	return "squared Euclidean distance"
}

// grid is the thresholds that accuracies are measured at: gridSteps of them from 0, so many a unit.
type grid float64

// gridSteps and squaredGrid make the field's grid of thresholds: 0 to 4 in steps of 0.01, where 4
// is the largest squared distance of two unit vectors. cosineGrid is the same thresholds in 1 - c.
const (
	gridSteps        = 401
	squaredGrid grid = 100
	cosineGrid  grid = 200
)

func (g grid) threshold(i int) float64 { return float64(i) / float64(g) }

// index returns the first threshold of the grid that accepts d, gridSteps for none.
func (g grid) index(d float64) int {
	i := max(0, min(gridSteps, int(d*float64(g))-1)) // the product may be off by a rounding
	for i < gridSteps && g.threshold(i) < d {
		i++
	}
	return i
}

// grid returns the thresholds for distances of which largest is the largest. Vectors with lengths
// of their own have no largest distance: 400 equal steps lead to the largest that there is.
func (m Metric) grid(raw bool, largest float64) grid {
	switch {
	case m == Cosine:
		return cosineGrid
	case !raw:
		return squaredGrid
	case !(largest > 0):
		return 1
	}
	return grid((gridSteps - 1) / (largest * (1 + 1e-12)))
}

// cosineDistance returns 1 - c, whatever the vectors' lengths, which must not be 0.
func cosineDistance(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, x := range a {
		x, y := float64(x), float64(b[i])
		ab += float64(x * y)
		aa += float64(x * x)
		bb += float64(y * y)
	}
	return math.Max(0, 1-ab/math.Sqrt(float64(aa*bb)))
}
