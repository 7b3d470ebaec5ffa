package jpeg

import (
	"math"
	"testing"
)

// some fills n random places of the first rows x columns of a block and returns the block's
// shape.
func some(r *random, c *coefficients, n, rows, columns, largest int) int {
	*c = coefficients{0: int16(r.below(4096) - 2048)}
	shape := 0
	for range n {
		y, x := r.below(rows), r.below(columns)
		if y+x > 0 {
			c[8*y+x] = int16(r.below(2*largest) - largest)
			shape |= 8*y + x
		}
	}
	return shape
}

// Blocks within the bounds must come out alike on every way through idct.
func TestShortcuts(t *testing.T) {
	r := random(5)
	var ws workspace
	for i := range 20000 {
		rows, columns := 1+r.below(8), 1+r.below(8)
		var c coefficients
		n := r.below(20)
		shape := some(&r, &c, n, rows, columns, 1+r.below((wideAC+62)/max(1, n)))
		if i&1 == 0 { // the bounds themselves, with the signs of one sample's basis
			at := r.below(64)
			c, shape = coefficients{}, 0
			n := 1 + r.below(63)
			for range n {
				k := 1 + r.below(63)
				shape |= k
				c[k] = int16((wideAC + 62) / n)
				if basis(k, at) < 0 {
					c[k] = -c[k]
				}
			}
			c[0] = wideDC - 1
		}
		var got, want [64]uint8
		idct(&c, shape, &ws, got[:], 8)
		idctWide(&c, want[:], 8)
		if got != want {
			t.Fatalf("shape %06b, block %v: idct = %v, want %v", shape, c, got, want)
		}
	}
}

// basis returns the weight of a coefficient in a sample.
func basis(k, at int) float64 {
	f := func(u, x int) float64 {
		if u == 0 {
			return math.Sqrt2 / 4
		}
		return math.Cos(float64((2*x+1)*u)*math.Pi/16) / 2
	}
	return f(k%8, at%8) * f(k/8, at/8)
}

// The integers must stay near the definition (ITU-T T.81, A.3.3).
func TestAccuracy(t *testing.T) {
	r := random(6)
	var ws workspace
	total, count := 0.0, 0.0
	for range 500 {
		var c coefficients
		shape := some(&r, &c, r.below(30), 8, 8, 60)
		c[0] /= 4
		var got [64]uint8
		idct(&c, shape, &ws, got[:], 8)
		for at := range 64 {
			want := 128.0
			for k := range 64 {
				want += float64(c[k]) * basis(k, at)
			}
			d := float64(got[at]) - min(max(want, 0), 255)
			if math.Abs(d) > 0.75 {
				t.Fatalf("sample %d of %v = %d, want %v", at, c, got[at], want)
			}
			total += d
			count++
		}
	}
	if mean := total / count; math.Abs(mean) > 0.01 {
		t.Errorf("mean error %v", mean)
	}
}
