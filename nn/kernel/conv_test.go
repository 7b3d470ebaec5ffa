package kernel

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// random gives n numbers in [-1, 1).
func random(n int, keys ...any) []float32 {
	r := rng.Stream(5, "kernel", keys...)
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.Between(-1, 1))
	}
	return v
}

// slowConv is the convolution as its definition reads, in float64. It returns the output before
// ReLU and, from dy, the gradients of x, weight and bias.
func slowConv(s ConvShape, n int, x, w, b, dy []float32) (y, dx, dw, db []float64) {
	oh, ow := s.OutH(), s.OutW()
	y, dx = make([]float64, n*s.OutC*oh*ow), make([]float64, len(x))
	dw, db = make([]float64, len(w)), make([]float64, len(b))
	for i := range y {
		c, r, o, sample := i%ow, i/ow%oh, i/ow/oh%s.OutC, i/ow/oh/s.OutC
		y[i] = float64(b[o])
		db[o] += float64(dy[i])
		for in := range s.InC {
			for ky := range s.KH {
				for kx := range s.KW {
					iy, ix := r*s.Stride+ky-s.Pad.Top, c*s.Stride+kx-s.Pad.Left
					if iy < 0 || ix < 0 || iy >= s.H || ix >= s.W {
						continue
					}
					xi := ((sample*s.InC+in)*s.H+iy)*s.W + ix
					wi := ((o*s.InC+in)*s.KH+ky)*s.KW + kx
					y[i] += float64(x[xi]) * float64(w[wi])
					dx[xi] += float64(dy[i]) * float64(w[wi])
					dw[wi] += float64(dy[i]) * float64(x[xi])
				}
			}
		}
	}
	return y, dx, dw, db
}

// near compares with a tolerance for sums of up to a thousand products of numbers up to 1, which
// reach 15 or so: a few roundings of 1e-6, and some more after Winograd's transforms.
func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	worst, at := 0.0, 0
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= 1e-4) {
		t.Errorf("%s: number %d = %v, want %v", what, at, got[at], want[at])
	}
}

type convCase struct {
	name string
	n    int
	s    ConvShape
}

func convCases() (cases []convCase) {
	add := func(name string, n, c, o, h, w, k, stride int, pad Padding) {
		cases = append(cases, convCase{fmt.Sprintf("%s/%dx%dx%d-%d,k%d,s%d", name, c, h, w, o, k, stride), n,
			ConvShape{InC: c, OutC: o, H: h, W: w, KH: k, KW: k, Stride: stride, Pad: pad}})
	}
	for _, k := range []int{1, 3, 7} {
		for _, stride := range []int{1, 2, 3} {
			for _, size := range [][2]int{{9, 12}, {12, 9}, {10, 10}, {7, 7}} {
				add("same", 1, 3, 16, size[0], size[1], k, stride, Same(size[0], size[1], k, k, stride))
				add("valid", 1, 3, 16, size[0], size[1], k, stride, Uniform(0))
				add("uniform", 1, 3, 16, size[0], size[1], k, stride, Uniform(k/2))
			}
		}
	}
	for _, channels := range []int{16, 32, 48, 80} { // one group, two, and a half one at the end
		for _, w := range []int{1, 2, 4, 7, 9, 14, 29, 31, 57} { // all sizes of tiles
			add("tiles", 1, 16, channels, 2, w, 3, 1, Uniform(1))
		}
		add("flat", 3, 32, channels, 9, 13, 1, 1, Uniform(0))
		add("flat", 2, 16, channels, 7, 7, 1, 1, Uniform(0))
	}
	add("channels", 3, 16, 32, 6, 5, 3, 1, Uniform(1))
	add("channels", 2, 32, 16, 6, 5, 3, 2, Same(6, 5, 3, 3, 2))
	for _, channels := range [][2]int{{16, 16}, {20, 40}, {64, 16}, {32, 80}} { // by tiles of 4x4, unless they are few
		for _, size := range [][2]int{{4, 4}, {8, 12}, {5, 6}, {15, 13}, {10, 31}} {
			add("winograd", 2, channels[0], channels[1], size[0], size[1], 3, 1, Uniform(1))
		}
	}
	for _, channels := range [][2]int{{80, 96}, {70, 16}, {32, 75}} { // more than stay in the caches
		add("winograd", 2, channels[0], channels[1], 15, 13, 3, 1, Uniform(1))
		add("winograd", 1, channels[0], channels[1], 31, 33, 3, 1, Uniform(0))
	}
	add("winograd", 3, 16, 32, 33, 41, 3, 1, Uniform(0))
	add("winograd", 1, 16, 16, 9, 8, 3, 1, Uniform(2))
	add("odd channels", 2, 20, 37, 5, 6, 3, 2, Same(5, 6, 3, 3, 2))
	add("one", 1, 1, 1, 1, 1, 1, 1, Uniform(0))
	add("one pixel", 1, 4, 5, 1, 1, 3, 1, Uniform(1))
	add("odd padding", 1, 3, 4, 6, 7, 3, 2, Padding{0, 2, 1, 0})
	return cases
}

func TestConv(t *testing.T) { eachLevel(t, testConv) }

func testConv(t *testing.T) {
	for _, c := range convCases() {
		for _, relu := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,relu=%v", c.name, relu), func(t *testing.T) {
				s := c.s
				s.ReLU = relu
				haloIn, haloOut := s.Halos()
				in := NewLayout(c.n, s.InC, s.H, s.W, haloIn)
				if s.InC < BlockSize {
					in = InputLayout(c.n, s.InC, s.H, s.W, haloIn)
				}
				out := NewLayout(c.n, s.OutC, s.OutH(), s.OutW(), haloOut+1) // more than needed is fine
				if c.name[:4] == "flat" {
					out.Halo = 0
				}
				conv := NewConv(s, in, out, nil)
				flatIn, flatOut := c.n*s.InC*s.H*s.W, c.n*s.OutC*s.OutH()*s.OutW()
				x, dy := random(flatIn, "x"), random(flatOut, "dy")
				w, b := random(s.OutC*s.InC*s.KH*s.KW, "w"), random(s.OutC, "b")
				wantY, wantDX, wantDW, wantDB := slowConv(s, c.n, x, w, b, dy)
				if relu {
					for i, v := range wantY {
						wantY[i] = max(v, 0)
					}
				}
				px, pdy := make([]float32, in.Len()), make([]float32, out.Len())
				in.Pack(c.n, x, px)
				out.Pack(c.n, dy, pdy)
				py, pdx := make([]float32, out.Len()), make([]float32, in.Len())
				dw, db := random(len(w), "old"), random(len(b), "old")
				for range 2 { // a second time nothing of the first may show
					conv.Forward(c.n, px, w, b, py)
					conv.BackwardData(pdy, w, pdx, false)
					conv.BackwardWeights(px, pdy, dw, db)
				}
				y, dx := make([]float32, flatOut), make([]float32, flatIn)
				out.Unpack(c.n, py, y)
				in.Unpack(c.n, pdx, dx)
				near(t, "forward", y, wantY)
				near(t, "gradient of x", dx, wantDX)
				near(t, "gradient of weights", dw, wantDW)
				near(t, "gradient of bias", db, wantDB)
				checkFrame(t, "forward", out, py)
				checkFrame(t, "gradient of x", in, pdx)

				// Added to what is there, and without bias.
				conv.BackwardData(pdy, w, pdx, true)
				in.Unpack(c.n, pdx, dx)
				for i := range dx {
					dx[i] /= 2
				}
				near(t, "half of twice the gradient of x", dx, wantDX)
				none, zero := make([]float32, out.Len()), make([]float32, out.Len())
				conv.Forward(c.n, px, w, nil, none)
				conv.Forward(c.n, px, w, make([]float32, len(b)), zero)
				if !slices.Equal(none, zero) {
					t.Error("no bias differs from a bias of 0")
				}
			})
		}
	}
}

// checkFrame fails unless the frame and the lanes past the last channel are zero: packing what
// was unpacked must give the same.
func checkFrame(t *testing.T, what string, l Layout, v []float32) {
	t.Helper()
	flat, again := make([]float32, l.N*l.C*l.H*l.W), make([]float32, l.Len())
	l.Unpack(l.N, v, flat)
	l.Pack(l.N, flat, again)
	if !slices.Equal(v, again) {
		t.Errorf("%s: something stands in the frame", what)
	}
}

func TestSamePadding(t *testing.T) {
	for _, c := range []struct {
		size, k, stride int
		before, after   int
	}{ // TensorFlow's rule; the extra one at the end
		{190, 3, 2, 0, 1}, {95, 3, 2, 1, 1}, {170, 3, 1, 1, 1}, {8, 1, 2, 0, 0}, {8, 7, 2, 2, 3}, {9, 7, 2, 3, 3}, {4, 2, 1, 0, 1},
	} {
		if b, a := same(c.size, c.k, c.stride); b != c.before || a != c.after {
			t.Errorf("same(%d, %d, %d) = %d, %d, want %d, %d", c.size, c.k, c.stride, b, a, c.before, c.after)
		}
	}
}

// withThreads runs f with 1, 3 and 8 threads and compares the bits of what it returns.
func withThreads(t *testing.T, what string, f func() []float32) {
	t.Helper()
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	want := f()
	for _, n := range []int{3, 8} {
		runtime.GOMAXPROCS(n)
		if got := f(); !slices.Equal(got, want) {
			t.Errorf("%s: %d threads and 1 thread differ", what, n)
		}
	}
}

// eachLevel runs a test with every set of instructions that the machine has.
func eachLevel(t *testing.T, f func(*testing.T)) {
	before := inForce
	defer func() { inForce = before }()
	for l := portable; l <= best(); l++ {
		inForce = l
		t.Run(l.String(), f)
	}
}

// The spans that tiles are cut in must not show.
func TestConvInSpans(t *testing.T) {
	defer func(before int) { winoSpan = before }(winoSpan)
	s := ConvShape{InC: 80, OutC: 96, H: 23, W: 30, KH: 3, KW: 3, Stride: 1, Pad: Uniform(1)}
	in, out := NewLayout(3, s.InC, s.H, s.W, 1), NewLayout(3, s.OutC, s.H, s.W, 1)
	x, dy, w := make([]float32, in.Len()), make([]float32, out.Len()), random(s.OutC*s.InC*9, "w")
	in.Pack(3, random(3*s.InC*s.H*s.W, "x"), x)
	small := random(3*s.OutC*s.H*s.W, "dy") // many pixels are summed
	for i := range small {
		small[i] /= 4
	}
	out.Pack(3, small, dy)
	var y, dx, dw [2][]float32
	for i := range 2 {
		c := NewConv(s, in, out, nil)
		y[i], dx[i], dw[i] = make([]float32, out.Len()), make([]float32, in.Len()), make([]float32, len(w))
		c.Forward(3, x, w, nil, y[i])
		c.BackwardData(dy, w, dx[i], false)
		c.BackwardWeights(x, dy, dw[i], nil)
		winoSpan = 1
	}
	if !slices.Equal(y[0], y[1]) || !slices.Equal(dx[0], dx[1]) {
		t.Error("outputs or the gradient of x differ")
	}
	want := make([]float64, len(w))
	for i, v := range dw[0] {
		want[i] = float64(v)
	}
	near(t, "gradient of weights", dw[1], want)
}

func TestConvDoesNotDependOnThreads(t *testing.T) { eachLevel(t, testConvThreads) }

func testConvThreads(t *testing.T) {
	for _, s := range []ConvShape{
		{InC: 16, OutC: 32, Stride: 1},
		{InC: 16, OutC: 32, Stride: 2},
		{InC: 80, OutC: 96, Stride: 1},
	} {
		s.H, s.W, s.KH, s.KW, s.ReLU = 23, 30, 3, 3, true
		s.Pad = Same(s.H, s.W, 3, 3, s.Stride)
		in, out := NewLayout(3, s.InC, s.H, s.W, 1), NewLayout(3, s.OutC, s.OutH(), s.OutW(), 1)
		x, dy, w, b := make([]float32, in.Len()), make([]float32, out.Len()), random(s.OutC*s.InC*9, "w"), random(s.OutC, "b")
		in.Pack(3, random(3*s.InC*s.H*s.W, "x"), x)
		out.Pack(3, random(3*s.OutC*s.OutH()*s.OutW(), "dy"), dy)
		withThreads(t, fmt.Sprintf("convolution of %d channels, stride %d", s.InC, s.Stride), func() []float32 {
			c := NewConv(s, in, out, nil)
			y, dx, dw, db := make([]float32, out.Len()), make([]float32, in.Len()), make([]float32, len(w)), make([]float32, len(b))
			c.Forward(3, x, w, b, y)
			c.BackwardData(dy, w, dx, false)
			c.BackwardWeights(x, dy, dw, db)
			return slices.Concat(y, dx, dw, db)
		})
	}
}

// The layers that networks spend their time in: name, samples, channels in and out, map, window, stride.
var convBenchmarks = []struct {
	name                        string
	n, in, out, size, k, stride int
}{
	{"seed 16", 4, 16, 16, 190, 3, 1},
	{"seed 32 stride 2", 4, 32, 32, 48, 3, 2},
	{"stem", 4, 3, 64, 112, 7, 2},
	{"64 at 28, 3x3", 16, 64, 64, 28, 3, 1},
	{"64-256 at 28", 16, 64, 256, 28, 1, 1},
	{"256-64 at 28", 16, 256, 64, 28, 1, 1},
	{"256 at 7, 3x3", 16, 256, 256, 7, 3, 1},
	{"1024-256 at 7", 16, 1024, 256, 7, 1, 1},
	{"512 at 4, 3x3", 16, 512, 512, 4, 3, 1},
	{"512-2048 at 4", 16, 512, 2048, 4, 1, 1},
	{"512-1024 stride 2", 16, 512, 1024, 14, 1, 2},
	{"128 at 14, 3x3", 16, 128, 128, 14, 3, 1},
	{"vgg 128 at 56", 4, 128, 128, 56, 3, 1},
	{"vgg 64-128 at 56", 4, 64, 128, 56, 3, 1},
	{"vgg 256 at 28", 8, 256, 256, 28, 3, 1},
	{"vgg 512 at 14", 8, 512, 512, 14, 3, 1},
	{"vgg 512 at 7", 8, 512, 512, 7, 3, 1},
	{"one 512 at 4", 1, 512, 512, 4, 3, 1},
	{"one 256 at 7", 1, 256, 256, 7, 3, 1},
	{"one 128 at 14", 1, 128, 128, 14, 3, 1},
}

func BenchmarkConv(b *testing.B) {
	for _, c := range convBenchmarks {
		s := ConvShape{InC: c.in, OutC: c.out, H: c.size, W: c.size, KH: c.k, KW: c.k, Stride: c.stride, Pad: Uniform(c.k / 2)}
		haloIn, haloOut := s.Halos()
		in := NewLayout(c.n, c.in, c.size, c.size, haloIn)
		if c.in < BlockSize {
			in = InputLayout(c.n, c.in, c.size, c.size, haloIn)
		}
		out := NewLayout(c.n, c.out, s.OutH(), s.OutW(), haloOut)
		conv := NewConv(s, in, out, nil)
		w, dw := random(s.OutC*s.InC*s.KH*s.KW, "w"), make([]float32, s.OutC*s.InC*s.KH*s.KW)
		x, y := random(in.Len(), "x"), random(out.Len(), "y")
		for _, run := range []struct {
			name string
			f    func()
		}{
			{"forward", func() { conv.Forward(c.n, x, w, nil, y) }},
			{"data", func() { conv.BackwardData(y, w, x, false) }},
			{"weights", func() { conv.BackwardWeights(x, y, dw, nil) }},
		} {
			b.Run(c.name+"/"+run.name, func(b *testing.B) {
				for b.Loop() {
					run.f()
				}
				b.ReportMetric(2*float64(s.MACs()*int64(c.n))*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
