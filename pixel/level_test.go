package pixel

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// levels lists all that this machine has, the portable one first.
func levels() (all []level) {
	for l := portable; l <= best(); l++ {
		all = append(all, l)
	}
	return all
}

// noise fills planes with bytes that have nothing to do with one another, as hard as it gets.
func noise(r *rng.Rand, w, h int, kind int) Planes {
	fill := func(b []uint8) {
		for i := range b {
			b[i] = uint8(r.IntN(256))
			if r.Bool(0.3) { // the extremes, for sums that overflow
				b[i] = uint8(255 * r.IntN(2))
			}
		}
	}
	switch kind {
	case 6:
		m := image.NewGray(image.Rect(0, 0, w, h))
		fill(m.Pix)
		return FromImage(m)
	case 7:
		m := image.NewNRGBA(image.Rect(0, 0, w, h))
		fill(m.Pix)
		return FromImage(m)
	}
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio(kind))
	fill(m.Y)
	fill(m.Cb)
	fill(m.Cr)
	return FromImage(m)
}

func TestLevelsAgree(t *testing.T) {
	if len(levels()) == 1 {
		t.Skip("this CPU has the portable level alone")
	}
	r := rng.Stream(1, "levels")
	for i := range 1500 {
		sw, sh := 1+r.IntN(90), 1+r.IntN(90)
		w, h := 1+r.IntN(60), 1+r.IntN(12)
		switch i % 50 {
		case 0:
			sw, sh = 1, 1
		case 1:
			w = segment + r.IntN(300)
		case 2:
			sw, sh = 300+r.IntN(500), 300
		}
		src := noise(r, sw, sh, i%8)
		// The source's centre shows somewhere near the output's.
		scale := math.Exp(r.Between(-2, 2.5))
		angle := r.Between(-math.Pi, math.Pi)
		aspect := r.Between(0.5, 2)
		a, b := scale*math.Cos(angle), -scale*math.Sin(angle)*aspect
		d, e := scale*math.Sin(angle), scale*math.Cos(angle)*aspect
		switch i % 5 {
		case 0, 1: // upright, perhaps mirrored
			a, b, d, e = scale, 0, 0, scale*aspect
			if r.Bool(0.3) {
				a = -a
			}
			if r.Bool(0.3) {
				e = -e
			}
		case 2:
			a, b, d, e = 1, 0, 0, 1
		}
		c := float64(sw)/2 - a*float64(w)/2 - b*float64(h)/2 + r.Between(-1, 1)*float64(sw)
		f := float64(sh)/2 - d*float64(w)/2 - e*float64(h)/2 + r.Between(-1, 1)*float64(sh)
		if i%10 == 2 {
			c, f = math.Round(c), math.Round(f)
		}
		m := [6]float64{a, b, c, d, e, f}
		s, bgr := Sampling(r.IntN(2)), r.Bool(0.5)
		want := make([]uint8, 3*w*h)
		warp(portable, want, w, h, src, m, s, bgr)
		for _, l := range levels()[1:] {
			got := make([]uint8, 3*w*h+64) // and nothing is written behind
			warp(l, got[:3*w*h], w, h, src, m, s, bgr)
			if !bytes.Equal(got[:3*w*h], want) {
				at := 0
				for got[at] == want[at] {
					at++
				}
				t.Fatalf("%d: %s: value %d = %d, portable has %d (%dx%d kind %d to %dx%d, map %v, sampling %d)", i, levelNames[l], at, got[at], want[at], sw, sh, i%8, w, h, m, s)
			}
			if !bytes.Equal(got[3*w*h:], make([]uint8, 64)) {
				t.Fatalf("%d: %s wrote beyond its output", i, levelNames[l])
			}
		}
	}
}

// The general way and the one for maps that do not turn add the same numbers.
func TestAlignedAgreesWithGeneral(t *testing.T) {
	r := rng.Stream(1, "aligned")
	for i := range 200 {
		src := noise(r, 1+r.IntN(80), 1+r.IntN(80), 2) // 4:2:0
		w, h := 1+r.IntN(50), 1+r.IntN(30)
		m := [6]float64{r.Between(-3, 4), 0, r.Between(-20, 90), 0, r.Between(-3, 4), r.Between(-20, 90)}
		for c, p := range src.Channel {
			for _, l := range levels() {
				var s sampler
				var general, upright values
				s.reset(p, m, Sampling(i%2), int32(min(c, 1)*128))
				s.columns(0, w)
				for y := range h {
					s.aligned = true
					s.row(l, &upright, 0, y, w)
					s.aligned = false
					s.row(l, &general, 0, y, w)
					if !slices.Equal(upright[:w], general[:w]) {
						for x := range w {
							if upright[x] != general[x] {
								t.Fatalf("%d: %s: (%d, %d) = %d upright, %d in general (map %v)", i, levelNames[l], x, y, upright[x], general[x], m)
							}
						}
					}
				}
			}
		}
	}
}

func TestColorConstants(t *testing.T) {
	for i, c := range []struct {
		got  int
		want float64
	}{{redCr, 0.402}, {greenCb, -0.344136}, {greenCr, -0.714136}, {blueCb, 0.772}} {
		if want := int(math.Round(c.want * (1 << 15))); c.got != want {
			t.Errorf("constant %d = %d, want %d", i, c.got, want)
		}
	}
}

// No sum may leave the bits that kernels have for it, at any scale.
func TestFilterLimits(t *testing.T) {
	for k := range kernels {
		for width := 0.0; width <= maxScale; width += 1.0 / scaleSteps {
			f := filterOf(k, width)
			for p := range phases {
				w := f.weights[p*f.taps : (p+1)*f.taps]
				sum, up, down := 0, 0, 0
				for i, v := range w {
					sum += int(v)
					up, down = up+max(int(v), 0), down+min(int(v), 0)
					pairUp, pairDown := 0, 0
					for _, q := range w[i/2*2 : i/2*2+2] {
						pairUp, pairDown = pairUp+max(int(q), 0), pairDown+min(int(q), 0)
					}
					if 255*pairUp > math.MaxInt16 || 255*pairDown < math.MinInt16 {
						t.Errorf("kernel %d width %v phase %d: weights %v overflow 16 bits", k, width, p, w)
					}
				}
				most := 255 * 256 * (up - down) * (up - down)
				if sum != 1<<f.bits || most > math.MaxInt32-1<<16 {
					t.Fatalf("kernel %d width %v phase %d: weights %v: sum %d, products %d", k, width, p, w, sum, most)
				}
			}
		}
	}
}

func TestNormalize(t *testing.T) {
	r := rng.Stream(1, "normalize")
	var every [256]uint8
	for i := range every {
		every[i] = uint8(i)
	}
	for _, l := range levels() {
		got := make([]float32, 256)
		normalize(l, got, every[:])
		for i, v := range got {
			if want := float32(float64(i)/127.5 - 1); v != want {
				t.Errorf("%s: %d becomes %v, want %v", levelNames[l], i, v, want)
			}
		}
		for range 300 {
			w, h := 1+r.IntN(70), r.IntN(4)
			src := make([]uint8, w*h)
			for i := range src {
				src[i] = uint8(r.IntN(256))
			}
			got, flipped := make([]float32, w*h+1), make([]float32, w*h+1)
			normalize(l, got[:w*h], src)
			normalizeFlipped(l, flipped[:w*h], src, w)
			for i, v := range src {
				if j := i/w*w + w - 1 - i%w; got[i] != normal[v] || flipped[j] != normal[v] {
					t.Fatalf("%s: %d wide: value %d = %v, flipped %v, want %v", levelNames[l], w, i, got[i], flipped[j], normal[v])
				}
			}
			if got[w*h] != 0 || flipped[w*h] != 0 {
				t.Fatalf("%s wrote beyond its output", levelNames[l])
			}
		}
	}
}

func TestChooseLevel(t *testing.T) {
	for _, c := range []struct {
		name string
		best level
		want level
		ok   bool
	}{
		{"", avx512, avx512, true}, {"", portable, portable, true}, {"avx2", avx512, avx2, true},
		{"portable", avx512, portable, true}, {"avx512", avx2, avx2, false}, {"sse", avx2, avx2, false},
	} {
		if got, err := choose(c.name, c.best); got != c.want || (err == nil) != c.ok {
			t.Errorf("choose(%q, %v) = %v, %v, want %v", c.name, levelNames[c.best], levelNames[got], err, levelNames[c.want])
		}
	}
}

func BenchmarkWarp(b *testing.B) {
	src := FromImage(smooth(250, 250, image.YCbCrSubsampleRatio420))
	for _, c := range []struct {
		name string
		w, h int
		m    [6]float64
		s    Sampling
	}{
		{"112/scale1.2", 112, 112, [6]float64{1.2, 0.1, 40, -0.1, 1.2, 50}, Antialias},
		{"112/scale2", 112, 112, [6]float64{2, 0.1, 10, -0.1, 2, 20}, Antialias},
		{"112/scale3", 112, 112, [6]float64{3, 0.1, -40, -0.1, 3, -50}, Antialias},
		{"256/upright1.2", 256, 256, [6]float64{0.9, 0, 4, 0, 0.9, 5}, Antialias},
		{"190x170/bilinear", 170, 190, [6]float64{250.0 / 170, 0, 0, 0, 250.0 / 190, 0}, Bilinear},
	} {
		for _, l := range levels() {
			b.Run(fmt.Sprintf("%s/%s", c.name, levelNames[l]), func(b *testing.B) {
				dst := make([]uint8, 3*c.w*c.h)
				for b.Loop() {
					warp(l, dst, c.w, c.h, src, c.m, c.s, false)
				}
			})
		}
	}
}

// BenchmarkWarpFaces aligns real faces to 112 x 112; one operation is one face.
func BenchmarkWarpFaces(b *testing.B) {
	faces := realFaces(b)
	type job struct {
		src Planes
		m   [6]float64
	}
	var jobs []job
	for i := 0; i < len(faces); i += 29 {
		jobs = append(jobs, job{faces[i].planes(b), faces[i].m})
	}
	dst := make([]uint8, 3*112*112)
	for _, l := range levels() {
		b.Run(levelNames[l], func(b *testing.B) {
			i := 0
			for b.Loop() {
				j := &jobs[i%len(jobs)]
				warp(l, dst, 112, 112, j.src, j.m, Antialias, false)
				i++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "warps/s")
		})
	}
}

func BenchmarkNormalize(b *testing.B) {
	const n = 64 * 3 * 112 * 112 // a batch
	src, dst := make([]uint8, n), make([]float32, n)
	for _, l := range levels() {
		b.Run(levelNames[l], func(b *testing.B) {
			for b.Loop() {
				normalize(l, dst, src)
			}
			b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "samples/s")
		})
		b.Run(levelNames[l]+"/flipped", func(b *testing.B) {
			for b.Loop() {
				normalizeFlipped(l, dst, src, 112)
			}
			b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "samples/s")
		})
	}
}
