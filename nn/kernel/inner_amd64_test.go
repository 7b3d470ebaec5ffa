package kernel

import (
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

func randoms(r *rng.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.Norm())
	}
	return v
}

// Both twins agree within the rounding of one product more or less a step.
func TestTwinsAgree(t *testing.T) {
	if !useAVX2 {
		t.Skip("no AVX2")
	}
	r := rng.Stream(1, "twins")
	for range 200 {
		step, run := 1+r.IntN(40), 1+r.IntN(60)
		blocks, rows := 1+r.IntN(3), 1+r.IntN(4)
		row := run + r.IntN(50)
		plane := rows*row + r.IntN(9)
		n := []int{1, 4, 12}[r.IntN(3)]
		x := randoms(r, (n-1)*step+(blocks-1)*plane+(rows-1)*row+run)
		w := make([][lanes]float32, blocks*rows*run)
		for i := range w {
			copy(w[i][:], randoms(r, lanes))
		}
		fast, slow := make([][lanes]float32, n), make([][lanes]float32, n)
		for i := range fast {
			copy(fast[i][:], randoms(r, lanes))
			slow[i] = fast[i]
		}
		if !correlateFast(x, step, plane, row, blocks, rows, run, w, fast) {
			t.Fatalf("no fast twin for %d windows", n)
		}
		for k := range slow {
			correlate(x[k*step:], plane, row, blocks, rows, run, w, &slow[k])
		}
		compare(t, "correlate", fast, slow, len(w))
		// A window's bits do not depend on its neighbours.
		for k := range n {
			one := make([][lanes]float32, 1)
			again := make([][lanes]float32, n)
			correlateFast(x[k*step:], step, plane, row, blocks, rows, run, w, one)
			correlateFast(x, step, plane, row, blocks, rows, run, w, again)
			if one[0] != again[k] {
				t.Fatalf("window %d of %d = %v, alone %v", k, n, again[k], one[0])
			}
		}

		pixels, used := 1+r.IntN(70), 1+r.IntN(16)
		xStep, gStep := used+r.IntN(20), lanes+r.IntN(10)
		x, g := randoms(r, (pixels-1)*xStep+used), randoms(r, (pixels-1)*gStep+lanes)
		fast, slow = make([][lanes]float32, used), make([][lanes]float32, used)
		outerFast(x, xStep, g, gStep, pixels, fast)
		for l := range slow {
			outerRow(x[l:], xStep, g, gStep, pixels, &slow[l])
		}
		compare(t, "outerRow", fast, slow, pixels)
	}
}

func compare(t *testing.T, name string, fast, slow [][lanes]float32, terms int) {
	t.Helper()
	tolerance := 1e-6 * math.Sqrt(float64(terms)) * 4 // sums of terms of size 1
	for k := range slow {
		for l, want := range slow[k] {
			if got := fast[k][l]; math.Abs(float64(got-want)) > tolerance {
				t.Fatalf("%s: sum %d, lane %d = %v, want %v within %.1e", name, k, l, got, want, tolerance)
			}
		}
	}
}
