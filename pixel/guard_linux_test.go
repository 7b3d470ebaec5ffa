package pixel

import (
	"math"
	"os"
	"syscall"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// guarded returns n bytes that end at a page which can't be read, or begin after one.
func guarded(t *testing.T, n int, atStart bool) []uint8 {
	t.Helper()
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skipf("no guard pages: %v", err)
	}
	t.Cleanup(func() { syscall.Munmap(all) })
	for _, p := range [][]uint8{all[:page], all[page+size:]} {
		if err := syscall.Mprotect(p, syscall.PROT_NONE); err != nil {
			t.Skipf("no guard pages: %v", err)
		}
	}
	if atStart {
		return all[page : page+n : page+n]
	}
	return all[page+size-n : page+size : page+size]
}

// Kernels read words of four bytes and whole vectors: a byte too far, in front of or behind a
// plane, ends this test with a fault.
func TestNothingOutsideIsRead(t *testing.T) {
	r := rng.Stream(1, "guard")
	for i := range 60 {
		w, h := 1+r.IntN(70), 1+r.IntN(70)
		if i%10 == 0 {
			w = segment + r.IntN(100)
		}
		src := Planes{W: w, H: h, YCbCr: true}
		for c := range 3 {
			d := 1 + min(c, 1)*(i%2)
			p := Plane{W: (w + d - 1) / d, H: (h + d - 1) / d, DX: d, DY: d}
			p.Stride = p.W + r.IntN(3)*r.IntN(9)
			p.Pix = guarded(t, (p.H-1)*p.Stride+p.W, i%3 == 0)
			src.Channel = append(src.Channel, p)
		}
		for range 20 {
			scale, angle := math.Exp(r.Between(-2, 2)), r.Between(-math.Pi, math.Pi)
			if r.Bool(0.5) {
				angle = 0
			}
			m := [6]float64{
				scale * math.Cos(angle), -scale * math.Sin(angle), r.Between(-10, float64(w)),
				scale * math.Sin(angle), scale * math.Cos(angle), r.Between(-10, float64(h)),
			}
			dw, dh := lanes+r.IntN(50), 1+r.IntN(30)
			dst := guarded(t, 3*dw*dh, r.Bool(0.5))
			for _, l := range levels() {
				warp(l, dst, dw, dh, src, m, Sampling(r.IntN(2)), false)
			}
		}
	}
	for n := range 70 {
		src := guarded(t, n+1, n%2 == 0)
		dst := make([]float32, n+1)
		for _, l := range levels() {
			normalize(l, dst, src)
			normalizeFlipped(l, dst, src, n+1)
		}
	}
}
