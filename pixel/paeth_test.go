package pixel

import (
	"bytes"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// slowPaeth is the filter as the standard describes it.
func slowPaeth(row, above []uint8, bpp int) []uint8 {
	out := make([]uint8, len(row))
	for i := range row {
		a, b, c := 0, int(above[i]), 0
		if i >= bpp {
			a, c = int(row[i-bpp]), int(above[i-bpp])
		}
		p := a + b - c
		distance := func(v int) int { return max(p-v, v-p) }
		guess := c
		if distance(a) <= distance(b) && distance(a) <= distance(c) {
			guess = a
		} else if distance(b) <= distance(c) {
			guess = b
		}
		out[i] = row[i] - uint8(guess)
	}
	return out
}

func TestPaeth(t *testing.T) {
	check := func(row, above []uint8, bpp int) {
		t.Helper()
		want := slowPaeth(row, above, bpp)
		for l := portable; l <= best(); l++ {
			have := make([]uint8, len(row))
			if paeth(l, have, row, above, bpp); !bytes.Equal(have, want) {
				t.Fatalf("%v: %d bytes, %d apart: %v, want %v", levelNames[l], len(row), bpp, have, want)
			}
		}
	}
	// Every three neighbours that there can be, with steps of 3 or 5 for some.
	var row, above []uint8
	for a := 0; a < 256; a += 3 {
		for b := range 256 {
			for c := 0; c < 256; c += 5 {
				row = append(row, uint8(a), uint8(a+b*c))
				above = append(above, uint8(c), uint8(b))
			}
		}
	}
	check(row, above, 1)
	r := rng.Stream(1, "paeth")
	for n := range 200 {
		for _, bpp := range []int{1, 3} {
			row, above := make([]uint8, n), make([]uint8, n)
			for i := range row {
				row[i], above[i] = uint8(r.Uint64()), uint8(r.Uint64())
			}
			check(row, above, bpp)
		}
	}
}
