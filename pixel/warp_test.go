package pixel

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// smooth draws a colour picture without hard edges, in which a shift of a tenth of a pixel shows.
func smooth(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	dx, dy := subsampling(ratio)
	for y := range h {
		for x := range w {
			m.Y[m.YOffset(x, y)] = uint8(128 + 60*math.Sin(float64(x)/9) + 50*math.Cos(float64(y)/7))
		}
	}
	for y := 0; y < h; y += dy {
		for x := 0; x < w; x += dx {
			cx, cy := float64(x)+float64(dx-1)/2, float64(y)+float64(dy-1)/2
			m.Cb[m.COffset(x, y)] = uint8(128 + 40*math.Sin(cx/30))
			m.Cr[m.COffset(x, y)] = uint8(128 + 40*math.Cos(cy/25))
		}
	}
	return m
}

// brute is Warp in floating point: bilinear planes, black border, sub-sample averages.
func brute(p Planes, w, h int, m [6]float64, s Sampling) []float64 {
	out := make([]float64, 3*w*h)
	for y := range h {
		for x := range w {
			var v [3]float64
			for c, pl := range p.Channel {
				border := 0.0
				if p.YCbCr && c > 0 {
					border = 128
				}
				at := func(i, j int) float64 {
					if i < 0 || j < 0 || i >= pl.W || j >= pl.H {
						return border
					}
					return float64(pl.Pix[j*pl.Stride+i])
				}
				nx, ny := 1, 1
				if s == Antialias {
					nx = subSamples(math.Hypot(m[0]/float64(pl.DX), m[3]/float64(pl.DY)))
					ny = subSamples(math.Hypot(m[1]/float64(pl.DX), m[4]/float64(pl.DY)))
				}
				for j := range ny {
					for i := range nx {
						ux := float64(x) + (float64(i)+0.5)/float64(nx) - 0.5
						uy := float64(y) + (float64(j)+0.5)/float64(ny) - 0.5
						sx := (m[0]*ux+m[1]*uy+m[2]+0.5)/float64(pl.DX) - 0.5
						sy := (m[3]*ux+m[4]*uy+m[5]+0.5)/float64(pl.DY) - 0.5
						fx, fy := math.Floor(sx), math.Floor(sy)
						a, b := sx-fx, sy-fy
						ix, iy := int(fx), int(fy)
						v[c] += (1-b)*((1-a)*at(ix, iy)+a*at(ix+1, iy)) + b*((1-a)*at(ix, iy+1)+a*at(ix+1, iy+1))
					}
				}
				v[c] /= float64(nx * ny)
			}
			if p.YCbCr {
				yy, cb, cr := v[0], v[1]-128, v[2]-128
				v = [3]float64{yy + 1.402*cr, yy - 0.344136*cb - 0.714136*cr, yy + 1.772*cb}
			}
			for c := range v {
				out[c*w*h+y*w+x] = max(0, min(255, v[c]))
			}
		}
	}
	return out
}

func TestWarpAgreesWithBruteForce(t *testing.T) {
	r := rng.Stream(1, "warp")
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio444,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		src := FromImage(smooth(91, 77, ratio)) // odd sizes
		for i, scale := range []float64{0.3, 1, 1.7, 4.2} {
			angle := r.Between(-1, 1)
			m := [6]float64{
				scale * math.Cos(angle), -scale * math.Sin(angle), r.Between(-20, 40),
				scale * math.Sin(angle), scale * math.Cos(angle), r.Between(-20, 40),
			}
			s := Sampling(i % 2)
			const w, h = 23, 19
			got := make([]uint8, 3*w*h)
			Warp(got, w, h, src, m, s, false)
			worst := 0.0
			for j, want := range brute(src, w, h, m, s) {
				worst = max(worst, math.Abs(float64(got[j])-want))
			}
			if worst > 0.75 { // half a level is rounding, the rest the weights' 10 bits
				t.Errorf("%v scale %v: largest error %.2f, want at most 0.75", ratio, scale, worst)
			}
		}
	}
}

func TestWarpIdentityKeepsPixels(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 9, 6))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i * 5)
	}
	got := make([]uint8, 3*9*6)
	Warp(got, 9, 6, FromImage(gray), [6]float64{1, 0, 0, 0, 1, 0}, Antialias, false)
	for i := range got {
		if want := gray.Pix[i%54]; got[i] != want {
			t.Fatalf("value %d = %d, want %d", i, got[i], want)
		}
	}
}

func TestWarpOrderOfChannels(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 4))
	for i := 0; i < len(img.Pix); i += 4 {
		copy(img.Pix[i:], []uint8{200, 100, 50, 255})
	}
	rgb, bgr := make([]uint8, 12), make([]uint8, 12)
	m := [6]float64{1, 0, 1, 0, 1, 1}
	Warp(rgb, 2, 2, FromImage(img), m, Antialias, false)
	Warp(bgr, 2, 2, FromImage(img), m, Antialias, true)
	if rgb[0] != 200 || rgb[4] != 100 || rgb[8] != 50 || bgr[0] != 50 || bgr[8] != 200 {
		t.Errorf("rgb %v, bgr %v", rgb, bgr)
	}
}

func TestWarpFarOutsideIsBlack(t *testing.T) {
	got := make([]uint8, 3*4)
	for i := range got {
		got[i] = 9
	}
	Warp(got, 2, 2, FromImage(smooth(16, 16, image.YCbCrSubsampleRatio420)), [6]float64{1, 0, 1e12, 0, 1, -1e12}, Antialias, false)
	for i, v := range got {
		if v != 0 {
			t.Errorf("value %d = %d, want 0", i, v)
		}
	}
}

func TestFromImageCMYK(t *testing.T) {
	m := image.NewCMYK(image.Rect(0, 0, 2, 1))
	m.SetCMYK(0, 0, color.CMYK{0, 255, 255, 0})
	m.SetCMYK(1, 0, color.CMYK{0, 0, 0, 255})
	p := FromImage(m)
	if p.Channel[0].Pix[0] != 255 || p.Channel[1].Pix[0] != 0 || p.Channel[0].Pix[1] != 0 {
		t.Errorf("planes %v", p)
	}
}

func BenchmarkWarp112(b *testing.B) {
	src := FromImage(smooth(250, 250, image.YCbCrSubsampleRatio420))
	dst := make([]uint8, 3*112*112)
	for b.Loop() {
		Warp(dst, 112, 112, src, [6]float64{1.2, 0.1, 40, -0.1, 1.2, 50}, Antialias, false)
	}
}
