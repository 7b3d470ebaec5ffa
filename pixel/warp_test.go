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

// weighAt is a kernel's mean over a box about t, by the sum of many points.
func weighAt(k kernel, t, width float64) float64 {
	const n = 200
	sum := 0.0
	for i := range n {
		sum += k.at(math.Abs(t + width*((float64(i)+0.5)/n-0.5)))
	}
	return sum / n
}

// brute is Warp in floating point, of positions rounded to a phase.
func brute(p Planes, w, h int, m [6]float64, s Sampling) []float64 {
	out := make([]float64, 3*w*h)
	for c, pl := range p.Channel {
		border := 0.0
		if p.YCbCr && c > 0 {
			border = 128
		}
		// taps returns the bytes about a point and their weights.
		taps := func(at, width float64, subsampled int) (int, []float64) {
			k := cubic
			if s == Bilinear || subsampled > 1 {
				k = linear
			}
			if s == Bilinear {
				width = 0
			}
			at = math.Floor(at*phases+0.5) / phases
			n := k.taps(width)
			first := int(math.Floor(at)) - n/2 + 1
			weights, sum := make([]float64, n), 0.0
			for i := range weights {
				weights[i] = weighAt(k, float64(first+i)-at, width)
				sum += weights[i]
			}
			for i := range weights {
				weights[i] /= sum
			}
			return first, weights
		}
		dx, dy := float64(pl.DX), float64(pl.DY)
		for y := range h {
			for x := range w {
				sx := (m[0]*float64(x)+m[1]*float64(y)+m[2]+0.5)/dx - 0.5
				sy := (m[3]*float64(x)+m[4]*float64(y)+m[5]+0.5)/dy - 0.5
				ix, wx := taps(sx, math.Hypot(m[0], m[1])/dx, pl.DX)
				iy, wy := taps(sy, math.Hypot(m[3], m[4])/dy, pl.DY)
				sum := 0.0
				for j, wj := range wy {
					for i, wi := range wx {
						v := border
						if a, b := ix+i, iy+j; a >= 0 && b >= 0 && a < pl.W && b < pl.H {
							v = float64(pl.Pix[b*pl.Stride+a])
						}
						sum += wi * wj * v
					}
				}
				out[c*w*h+y*w+x] = sum
			}
		}
	}
	n := w * h
	for i := range n {
		v := [3]float64{out[i], out[n+i], out[2*n+i]}
		if p.YCbCr {
			yy, cb, cr := v[0], v[1]-128, v[2]-128
			v = [3]float64{yy + 1.402*cr, yy - 0.344136*cb - 0.714136*cr, yy + 1.772*cb}
		}
		for c := range v {
			out[c*n+i] = max(0, min(255, v[c]))
		}
	}
	return out
}

func TestWarpAgreesWithBruteForce(t *testing.T) {
	// A byte's rounding alone errs by 0.25 on average and 0.5 at most. Weights of 6 or 7 bits add
	// their part where bytes differ most, at the black border.
	const mean, most = 0.3, 2.5
	r := rng.Stream(1, "warp")
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio444,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		src := FromImage(smooth(91, 77, ratio)) // odd sizes
		for i, scale := range []float64{0.3, 1, 1.7, 4.2, 9} {
			angle := r.Between(-1, 1)
			m := [6]float64{
				scale * math.Cos(angle), -scale * math.Sin(angle), r.Between(-20, 40),
				scale * math.Sin(angle), scale * math.Cos(angle), r.Between(-20, 40),
			}
			s := Sampling(i % 2)
			const w, h = 23, 19
			got := make([]uint8, 3*w*h)
			Warp(got, w, h, src, m, s, false)
			worst, sum := 0.0, 0.0
			for j, want := range brute(src, w, h, m, s) {
				e := math.Abs(float64(got[j]) - want)
				worst, sum = max(worst, e), sum+e
			}
			if worst > most || sum/float64(len(got)) > mean {
				t.Errorf("%v scale %v: errors of %.2f at most and %.3f on average, want %v and %v", ratio, scale, worst, sum/float64(len(got)), most, mean)
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
