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
// reach 15 or so: a few roundings of 1e-6.
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
	if !(worst <= 5e-5) {
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
	add("channels", 3, 16, 32, 6, 5, 3, 1, Uniform(1))
	add("channels", 2, 32, 16, 6, 5, 3, 2, Same(6, 5, 3, 3, 2))
	add("odd channels", 2, 20, 37, 5, 6, 3, 2, Same(5, 6, 3, 3, 2))
	add("one", 1, 1, 1, 1, 1, 1, 1, Uniform(0))
	add("one pixel", 1, 4, 5, 1, 1, 3, 1, Uniform(1))
	add("odd padding", 1, 3, 4, 6, 7, 3, 2, Padding{0, 2, 1, 0})
	return cases
}

func TestConv(t *testing.T) {
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
				conv := NewConv(s, in, out)
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
					conv.BackwardData(pdy, w, pdx)
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

func TestConvDoesNotDependOnThreads(t *testing.T) {
	s := ConvShape{InC: 16, OutC: 32, H: 23, W: 30, KH: 3, KW: 3, Stride: 2, Pad: Same(23, 30, 3, 3, 2), ReLU: true}
	in, out := NewLayout(3, 16, 23, 30, 1), NewLayout(3, 32, 12, 15, 1)
	x, dy, w, b := make([]float32, in.Len()), make([]float32, out.Len()), random(32*16*9, "w"), random(32, "b")
	in.Pack(3, random(3*16*23*30, "x"), x)
	out.Pack(3, random(3*32*12*15, "dy"), dy)
	withThreads(t, "convolution", func() []float32 {
		c := NewConv(s, in, out)
		y, dx, dw, db := make([]float32, out.Len()), make([]float32, in.Len()), make([]float32, len(w)), make([]float32, len(b))
		c.Forward(3, x, w, b, y)
		c.BackwardData(dy, w, dx)
		c.BackwardWeights(x, dy, dw, db)
		return slices.Concat(y, dx, dw, db)
	})
}

func BenchmarkConv(b *testing.B) {
	const n, c, h, w = 1, 16, 190, 170
	s := ConvShape{InC: c, OutC: c, H: h, W: w, KH: 3, KW: 3, Stride: 1, Pad: Uniform(1), ReLU: true}
	l := NewLayout(n, c, h, w, 1)
	conv := NewConv(s, l, l)
	x, y, wt, bias := make([]float32, l.Len()), make([]float32, l.Len()), random(c*c*9, "w"), random(c, "b")
	l.Pack(n, random(n*c*h*w, "x"), x)
	for name, f := range map[string]func(){
		"forward": func() { conv.Forward(n, x, wt, bias, y) },
		"data":    func() { conv.BackwardData(x, wt, y) },
		"weights": func() { conv.BackwardWeights(x, y, make([]float32, len(wt)), make([]float32, c)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(s.MACs()*n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}
