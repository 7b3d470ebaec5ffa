package kernel

import (
	"slices"
	"testing"
)

// Without momentum a velocity of zeros and none at all give the same bits, at each level.
func TestMomentumWithoutVelocity(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, n := range []int{1, 16, 37, chunk + 21} {
			start, g := random(n, "w"), random(n, "g")
			want, got := slices.Clone(start), slices.Clone(start)
			Momentum(want, g, make([]float32, n), 0.3, 0, 1e-3)
			Momentum(got, g, nil, 0.3, 0, 1e-3)
			if !slices.Equal(got, want) || slices.Equal(got, start) {
				t.Errorf("%d numbers: other weights without a velocity than with one of zeros", n)
			}
		}
	})
}
