package pixel

import (
	"bytes"
	"image"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// slowRGB is RGB in floating point, before rounding.
func slowRGB(p Planes) []float64 {
	n := p.W * p.H
	out := make([]float64, 3*n)
	at := func(pl Plane, x, y int) float64 {
		sx := max(0, min(float64(pl.W-1), (float64(x)+0.5)/float64(pl.DX)-0.5))
		sy := max(0, min(float64(pl.H-1), (float64(y)+0.5)/float64(pl.DY)-0.5))
		ix, iy := int(sx), int(sy)
		jx, jy := min(ix+1, pl.W-1), min(iy+1, pl.H-1)
		fx, fy := sx-float64(ix), sy-float64(iy)
		v := func(x, y int) float64 { return float64(pl.Pix[y*pl.Stride+x]) }
		return (1-fy)*((1-fx)*v(ix, iy)+fx*v(jx, iy)) + fy*((1-fx)*v(ix, jy)+fx*v(jx, jy))
	}
	for y := range p.H {
		for x := range p.W {
			v := [3]float64{at(p.Channel[0], x, y), at(p.Channel[1], x, y), at(p.Channel[2], x, y)}
			if p.YCbCr {
				yy, cb, cr := v[0], v[1]-128, v[2]-128
				v = [3]float64{yy + 1.402*cr, yy - 0.344136*cb - 0.714136*cr, yy + 1.772*cb}
			}
			for c := range v {
				out[c*n+y*p.W+x] = max(0, min(255, v[c]))
			}
		}
	}
	return out
}

func TestRGBAgreesWithFloats(t *testing.T) {
	// A byte's rounding, and one sum's of 6 bits of fraction for each of two products.
	const most = 0.5 + 2.0/128 + 0.01
	r := rng.Stream(1, "rgb")
	for i := range 400 {
		w, h := 1+r.IntN(40), 1+r.IntN(20)
		if i%20 == 0 {
			w = segment - 3 + r.IntN(2*segment)
		}
		src := noise(r, w, h, i%8)
		want := slowRGB(src)
		for l := range levels() {
			got, swapped := make([]uint8, 3*w*h), make([]uint8, 3*w*h)
			rgb(level(l), got, src, false)
			for j := range got {
				if e := math.Abs(float64(got[j]) - want[j]); e > most {
					t.Fatalf("%s, kind %d of %dx%d: value %d = %d, want %.3f", levelNames[l], i%8, w, h, j, got[j], want[j])
				}
			}
			rgb(level(l), swapped, src, true)
			n := w * h
			if !bytes.Equal(swapped[:n], got[2*n:]) || !bytes.Equal(swapped[n:2*n], got[n:2*n]) || !bytes.Equal(swapped[2*n:], got[:n]) {
				t.Fatalf("%s, kind %d: B, G, R differ from R, G, B", levelNames[l], i%8)
			}
		}
	}
}

func TestRGBLevelsAgree(t *testing.T) {
	if len(levels()) == 1 {
		t.Skip("this CPU has the portable level alone")
	}
	r := rng.Stream(2, "rgb")
	for i := range 300 {
		w, h := 1+r.IntN(300), 1+r.IntN(9)
		src := noise(r, w, h, i%6)
		want := make([]uint8, 3*w*h)
		rgb(portable, want, src, false)
		for _, l := range levels()[1:] {
			got := make([]uint8, 3*w*h)
			if rgb(l, got, src, false); !bytes.Equal(got, want) {
				t.Fatalf("kind %d of %dx%d: %s differs from portable", i%6, w, h, levelNames[l])
			}
		}
	}
}

func TestRGBRefusesOtherShapes(t *testing.T) {
	src := FromImage(smooth(9, 7, image.YCbCrSubsampleRatio420))
	half := src
	half.Channel = append([]Plane(nil), src.Channel...)
	half.Channel[2].W--
	wide := src
	wide.Channel = append([]Plane(nil), src.Channel...)
	wide.Channel[1].DX = 3
	for name, f := range map[string]func(){
		"short":       func() { RGB(make([]uint8, 3*9*7-1), src, false) },
		"one plane":   func() { RGB(make([]uint8, 3*9*7), Planes{W: 9, H: 7, Channel: src.Channel[:1]}, false) },
		"half chroma": func() { RGB(make([]uint8, 3*9*7), half, false) },
		"a third":     func() { RGB(make([]uint8, 3*9*7), wide, false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkRGB(b *testing.B) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444} {
		src := FromImage(smooth(112, 112, ratio))
		dst := make([]uint8, 3*112*112)
		for _, l := range levels() {
			b.Run(ratio.String()+"/"+levelNames[l], func(b *testing.B) {
				for b.Loop() {
					rgb(l, dst, src, false)
				}
			})
		}
		b.Run(ratio.String()+"/warp", func(b *testing.B) {
			for b.Loop() {
				Warp(dst, 112, 112, src, [6]float64{1, 0, 0, 0, 1, 0}, Antialias, false)
			}
		})
	}
}
