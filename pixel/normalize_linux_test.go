package pixel

import (
	"testing"
	"unsafe"

	"github.com/vf2prep/vf2prep/rng"
)

// Rows lie between pages that can't be touched, at the start or the end, and so do the values.
func TestNormalizeRows(t *testing.T) {
	r := rng.Stream(2, "rows")
	for i := range 3000 {
		rows := Rows{W: 1 + r.IntN(80), N: 1 + r.IntN(5), Flip: r.Bool(0.5), Stream: r.Bool(0.5)}
		if r.Bool(0.5) {
			rows.W = lanes * (1 + r.IntN(5))
		}
		rows.Stride = rows.W + r.IntN(3)*r.IntN(30)
		src := guarded(t, (rows.N-1)*rows.Stride+rows.W, r.Bool(0.5))
		for j := range src {
			src[j] = uint8(r.IntN(256))
		}
		n := rows.W * rows.N
		bytes := guarded(t, 4*n, i%2 == 0)
		dst := unsafe.Slice((*float32)(unsafe.Pointer(&bytes[0])), n)
		for _, l := range levels() {
			clear(dst)
			normalizeRows(l, dst, src, rows)
			for j, got := range dst {
				x := j % rows.W
				if rows.Flip {
					x = rows.W - 1 - x
				}
				if want := normal[src[j/rows.W*rows.Stride+x]]; got != want {
					t.Fatalf("%s: %+v: value %d = %v, want %v", levelNames[l], rows, j, got, want)
				}
			}
		}
	}
}
