package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/zeebo/xxh3"
)

var ratios = []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio420}

// scene draws planes R, G and B: from 0, flat, to 3, each value of its own, often an extreme one.
func scene(r *random, w, h, kind int) []uint8 {
	rgb := make([]uint8, 3*w*h)
	base, slope := r.below(256), r.below(9)-4
	for i := range rgb {
		x, y := i%(w*h)%w, i%(w*h)/w
		v := base
		switch kind {
		case 1:
			v += slope * (x + y - i/(w*h)*x)
		case 2:
			v += 60*((x/5+y/7)&1) + r.below(9) - 30*(i/(w*h))
		case 3:
			v = r.below(256)
			if r.below(2) == 0 {
				v = 255 * r.below(2)
			}
		}
		rgb[i] = uint8(max(0, min(255, v)))
	}
	return rgb
}

// slowPlanes returns Y, Cb and Cr in floating point, chroma over factor x factor pixels each.
func slowPlanes(rgb []uint8, w, h, factor int) (out [3][]float64) {
	n := w * h
	for c, k := range [3][4]float64{{0.299, 0.587, 0.114, 0}, {-0.168736, -0.331264, 0.5, 128}, {0.5, -0.418688, -0.081312, 128}} {
		f := factor
		if c == 0 {
			f = 1
		}
		for y := 0; y < h; y += f {
			for x := 0; x < w; x += f {
				sum := 0.0
				for i := range f * f {
					at := min(y+i/f, h-1)*w + min(x+i%f, w-1)
					sum += k[0]*float64(rgb[at]) + k[1]*float64(rgb[n+at]) + k[2]*float64(rgb[2*n+at]) + k[3]
				}
				out[c] = append(out[c], sum/float64(f*f))
			}
		}
	}
	return out
}

// faithful compares what decodes with what was encoded. The DCT keeps the sum of squares, and each
// of a block's coefficients is off by half a step at most; rounding adds 0.5 to a sample before, as
// much after, and a bit for the integer transforms.
func faithful(e *Encoder, d *Decoder, rgb []uint8, w, h int, o EncodeOptions) error {
	b, err := e.Append(nil, rgb, w, h, o)
	if err != nil {
		return err
	}
	for l := portable; l <= inForce; l++ {
		if same, err := e.append(l, nil, rgb, w, h, o); err != nil || !bytes.Equal(same, b) {
			return fmt.Errorf("%v: other bytes, %v", l, err)
		}
	}
	p, err := d.Whole(b, w, h)
	if err != nil {
		return err
	}
	if p.Warnings.Total() != 0 {
		return fmt.Errorf("warnings: %v", p.Warnings)
	}
	var slow twin
	if err := slow.decode(b); err != nil {
		return err
	}
	if err := slow.same(p); err != nil {
		return err
	}
	if stdPlanes(b) == nil {
		return errors.New("image/jpeg can't read it")
	}
	factor := 1
	if o.Ratio == image.YCbCrSubsampleRatio420 {
		factor = 2
	}
	for i, want := range slowPlanes(rgb, w, h, factor) {
		c := p.Channel[i]
		if c.W*c.H != len(want) {
			return fmt.Errorf("plane %d is %dx%d, want %d samples", i, c.W, c.H, len(want))
		}
		bound := 0.0
		for _, step := range e.quant[min(i, 1)].steps {
			bound += float64(step) * float64(step) / 4
		}
		bound = math.Sqrt(bound) + 8*(0.5+0.5+0.1)
		for y := 0; y < c.H; y += 8 {
			for x := 0; x < c.W; x += 8 {
				sum := 0.0
				for j := y; j < min(y+8, c.H); j++ {
					for i := x; i < min(x+8, c.W); i++ {
						e := float64(c.Pix[j*c.Stride+i]) - want[j*c.W+i]
						sum += e * e
					}
				}
				if math.Sqrt(sum) > bound {
					return fmt.Errorf("plane %d, block at %d, %d: off by %.2f in all, want %.2f at most", i, x, y, math.Sqrt(sum), bound)
				}
			}
		}
	}
	return nil
}

func TestEncodeSizes(t *testing.T) {
	var e Encoder
	var d Decoder
	r := random(1)
	for w := 1; w <= 17; w++ {
		for h := 1; h <= 33; h++ {
			for _, ratio := range ratios {
				o := EncodeOptions{Quality: 1 + r.below(100), Ratio: ratio}
				if err := faithful(&e, &d, scene(&r, w, h, r.below(4)), w, h, o); err != nil {
					t.Fatalf("%dx%d, %+v: %v", w, h, o, err)
				}
			}
		}
	}
}

func TestEncodeQualities(t *testing.T) {
	var e Encoder
	var d Decoder
	r := random(2)
	for quality := 1; quality <= 100; quality++ {
		for kind := range 4 {
			for _, ratio := range ratios {
				o := EncodeOptions{Quality: quality, Ratio: ratio}
				if err := faithful(&e, &d, scene(&r, 37, 29, kind), 37, 29, o); err != nil {
					t.Fatalf("kind %d, %+v: %v", kind, o, err)
				}
			}
		}
	}
}

// The greatest coefficients there are, of either sign, have codes.
func TestEncodeExtremes(t *testing.T) {
	var e Encoder
	var d Decoder
	for place := range 64 {
		for _, flip := range []float64{1, -1} {
			rgb := make([]uint8, 3*16*8)
			for i := range rgb {
				x, y := i%16, i/16%8
				if v := flip * basis(place, 8*y+x%8); v > 0 != (x > 7) { // DC leaps, too
					rgb[i] = 255
				}
			}
			if err := faithful(&e, &d, rgb, 16, 8, EncodeOptions{Quality: 100}); err != nil {
				t.Fatalf("coefficient %d: %v", place, err)
			}
		}
	}
}

// encoded are XXH3s of JPEGs: no machine and no version may write other bytes, since shards are
// told by their digests.
func TestEncodedBytes(t *testing.T) {
	var e Encoder
	for _, c := range []struct {
		kind, w, h, quality int
		ratio               image.YCbCrSubsampleRatio
		want                uint64
	}{
		{2, 112, 112, 90, image.YCbCrSubsampleRatio420, 0x955d504c52f6bd7b},
		{2, 112, 112, 90, image.YCbCrSubsampleRatio444, 0x996db1928a88c2f4},
		{1, 45, 37, 75, image.YCbCrSubsampleRatio420, 0x93c8262afc1f190f},
		{3, 45, 37, 100, image.YCbCrSubsampleRatio444, 0x902b42d809554e6c},
		{3, 33, 17, 100, image.YCbCrSubsampleRatio420, 0xe9d8e77091ed4bb2},
		{3, 250, 3, 1, image.YCbCrSubsampleRatio420, 0x97a429acf55d1063},
		{0, 1, 1, 50, image.YCbCrSubsampleRatio420, 0xe4ebe8785fab3b1b},
	} {
		r := random(3)
		rgb := scene(&r, c.w, c.h, c.kind)
		b, err := e.Append(nil, rgb, c.w, c.h, EncodeOptions{Quality: c.quality, Ratio: c.ratio})
		if err != nil {
			t.Fatal(err)
		}
		if got := xxh3.Hash(b); got != c.want {
			t.Errorf("kind %d, %dx%d, quality %d, %v: XXH3 %#016x, want %#016x", c.kind, c.w, c.h, c.quality, c.ratio, got, c.want)
		}
		// Appended to something, planes in the other order, by an encoder that is new.
		n := c.w * c.h
		var fresh Encoder
		bgr := slices.Concat(rgb[2*n:], rgb[n:2*n], rgb[:n])
		again, err := fresh.Append([]byte("before"), bgr, c.w, c.h, EncodeOptions{Quality: c.quality, Ratio: c.ratio, BGR: true})
		if err != nil || !bytes.Equal(again, append([]byte("before"), b...)) {
			t.Errorf("kind %d, %dx%d: appended as B, G, R it differs, %v", c.kind, c.w, c.h, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	rgb := make([]uint8, 3*12)
	for name, c := range map[string]struct {
		n, w, h int
		o       EncodeOptions
	}{
		"quality 0":     {36, 4, 3, EncodeOptions{}},
		"quality -1":    {36, 4, 3, EncodeOptions{Quality: -1}},
		"quality 101":   {36, 4, 3, EncodeOptions{Quality: 101}},
		"4:2:2":         {36, 4, 3, EncodeOptions{Quality: 90, Ratio: image.YCbCrSubsampleRatio422}},
		"too few":       {35, 4, 3, EncodeOptions{Quality: 90}},
		"too many":      {36, 4, 2, EncodeOptions{Quality: 90}},
		"no width":      {0, 0, 3, EncodeOptions{Quality: 90}},
		"negative":      {36, -4, -3, EncodeOptions{Quality: 90}},
		"beyond 65,535": {36, 65536, 65536, EncodeOptions{Quality: 90}},
	} {
		var e Encoder
		b, err := e.Append([]byte("kept"), rgb[:c.n], c.w, c.h, c.o)
		if err == nil || string(b) != "kept" {
			t.Errorf("%s: %q, error %v, want an error and what was there", name, b, err)
		}
	}
}

func TestWholeRefusesOtherSizes(t *testing.T) {
	var e Encoder
	var d Decoder
	b, err := e.Append(nil, make([]uint8, 3*20*10), 20, 10, EncodeOptions{Quality: 90})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{10, 20}, {20, 11}, {19, 10}, {0, 0}} {
		if _, err := d.Whole(b, size[0], size[1]); !errors.Is(err, ErrFormat) {
			t.Errorf("%v: error %v, want %v", size, err, ErrFormat)
		}
	}
	for n := range len(b) - 2 {
		if _, err := d.Whole(b[:n], 20, 10); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrShort) {
			t.Errorf("%d of %d bytes: error %v", n, len(b), err)
		}
	}
}

// Quantising by a product is quantising by a division, for every coefficient and every step.
func TestQuantizerIsExact(t *testing.T) {
	for step := 1; step <= 255; step++ {
		var table [64]uint8
		for i := range table {
			table[i] = uint8(step)
		}
		var q quantizer
		q.set(&table, 50)
		for v := int32(0); v < bias; v++ {
			want := (v + int32(4*step)) / int32(8*step)
			if got, minus := q.quantize(v, 63), q.quantize(-v, 63); got != want || minus != -want {
				t.Fatalf("%d in steps of %d: %d, and %d for its negative, want %d", v, step, got, minus, want)
			}
			for i := range 4 {
				at := uint64(bias+v)<<(16*i) | uint64(bias-v)<<(16*((i+1)%4))
				found := (at + q.over[5] | ^(at + q.under[5])) >> (16*i + 15) & 1
				other := (at + q.over[5] | ^(at + q.under[5])) >> (16*((i+1)%4) + 15) & 1
				if (found == 1) != (want != 0) || other != found {
					t.Fatalf("%d in steps of %d: found %d, and %d for its negative, but it is %d", v, step, found, other, want)
				}
			}
		}
	}
}

func TestForwardDCT(t *testing.T) {
	const most = 1.5 // of coefficients 8 times too large
	r := random(4)
	var ws workspace
	var out forward
	for i := range 2000 {
		pix := scene(&r, 8, 8, 1+i%3)[:64]
		fdct(pix, 8, &ws, &out)
		for place := range 64 {
			sum := 0.0
			for j, v := range pix {
				sum += 8 * (float64(v) - 128) * basis(place, j)
			}
			if got := out.at(uint8(place)); math.Abs(float64(got)-sum) > most {
				t.Fatalf("block %d, coefficient %d = %d, want %.2f", i, place, got, sum)
			}
		}
	}
}

func TestEncoderDoesNotAllocate(t *testing.T) {
	var e Encoder
	r := random(5)
	rgb := scene(&r, 101, 77, 2)
	var b []byte
	n := testing.AllocsPerRun(10, func() {
		var err error
		if b, err = e.Append(b[:0], rgb, 101, 77, EncodeOptions{Quality: 90, Ratio: image.YCbCrSubsampleRatio420}); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations an image, want 0", n)
	}
}

// Where libjpeg-turbo's cjpeg is installed, 4:4:4 must be its 4:4:4.
func TestAgainstCjpeg(t *testing.T) {
	tool, err := exec.LookPath("cjpeg")
	if err != nil {
		t.Skip("no cjpeg (Debian: libjpeg-turbo-progs)")
	}
	r := random(6)
	var e Encoder
	for i := range 60 {
		w, h, quality := 1+r.below(60), 1+r.below(60), 1+r.below(100)
		rgb := scene(&r, w, h, i%4)
		got, err := e.Append(nil, rgb, w, h, EncodeOptions{Quality: quality})
		if err != nil {
			t.Fatal(err)
		}
		ppm := fmt.Appendf(nil, "P6\n%d %d\n255\n", w, h)
		for j := range w * h {
			ppm = append(ppm, rgb[j], rgb[w*h+j], rgb[2*w*h+j])
		}
		cmd := exec.Command(tool, "-quality", strconv.Itoa(quality), "-baseline", "-sample", "1x1", "-dct", "int")
		cmd.Stdin = bytes.NewReader(ppm)
		want, err := cmd.Output()
		if err != nil {
			t.Fatalf("cjpeg: %v", err)
		}
		scan := []byte{0xff, mSOS}
		if !bytes.Equal(got[bytes.LastIndex(got, scan):], want[bytes.LastIndex(want, scan):]) {
			t.Errorf("kind %d, %dx%d, quality %d: another scan than cjpeg's", i%4, w, h, quality)
		}
	}
}

func FuzzEncoder(f *testing.F) {
	r := random(7)
	for i := range 12 {
		w, h := 1+r.below(40), 1+r.below(40)
		f.Add(scene(&r, w, h, i%4), uint8(w), uint8(1+r.below(100)), i%2 == 0)
	}
	var e Encoder
	var d Decoder
	f.Fuzz(func(t *testing.T, rgb []uint8, width, quality uint8, sub bool) {
		w := max(1, int(width))
		h := len(rgb) / (3 * w)
		if h < 1 || h > 64 {
			return
		}
		o := EncodeOptions{Quality: 1 + int(quality)%100}
		if sub {
			o.Ratio = image.YCbCrSubsampleRatio420
		}
		if err := faithful(&e, &d, rgb[:3*w*h], w, h, o); err != nil {
			t.Errorf("%dx%d, %+v: %v", w, h, o, err)
		}
	})
}

// Every level makes the same coefficients of any samples, and the same colours.
func TestVectorEncoder(t *testing.T) {
	levels := fast(t)
	r := random(5)
	var ws workspace
	for i := range 3000 {
		n := 1 + r.below(9)
		stride := 8 * n
		pix := scene(&r, stride, 8, i%4)[:8*stride]
		if i%5 == 0 { // extremes in the patterns of the basis
			a, b := r.below(64), r.below(64)
			for j := range pix {
				pix[j] = uint8(255 * ((j*a/8 ^ j/stride*b/8) & 1))
			}
		}
		want := make([]forward, n)
		portable.fdcts(pix, stride, &ws, want, n)
		for _, l := range levels {
			have := make([]forward, n+l.lanes())
			l.fdcts(append(slices.Clone(pix), make([]uint8, 8*l.lanes())...), stride, &ws, have, n)
			if !slices.Equal(have[:n], want) {
				t.Fatalf("%v: %d blocks, kind %d: other coefficients", l, n, i%4)
			}
		}
	}
	var all [3][]uint8 // R, G, B
	for red := 0; red < 256; red += 3 {
		for green := range 256 {
			for blue := 0; blue < 256; blue += 5 {
				all[0], all[1], all[2] = append(all[0], uint8(red)), append(all[1], uint8(green)), append(all[2], uint8(blue))
			}
		}
	}
	for _, n := range []int{8, 16, 24, len(all[0]) &^ 7} {
		var want, have [3][]uint8
		for i := range 3 {
			want[i], have[i] = make([]uint8, n), make([]uint8, n)
		}
		portable.convert444(want[0], want[1], want[2], all[0], all[1], all[2], n)
		for _, l := range levels {
			l.convert444(have[0], have[1], have[2], all[0], all[1], all[2], n)
			for i := range 3 {
				if !slices.Equal(want[i], have[i]) {
					t.Errorf("%v: component %d of %d pixels differs", l, i, n)
				}
			}
		}
	}
}
