package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// slowNorm is batch normalisation as its definition reads, in float64, on [N, C, H, W]. It returns
// the output and the gradients of x, shortcut, gamma and beta.
func slowNorm(l Layout, x, shortcut, gamma, beta, dy []float32, relu bool) (y, dx, ds, dgamma, dbeta, means, variances []float64) {
	y, dx, ds = make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	dgamma, dbeta = make([]float64, l.C), make([]float64, l.C)
	means, variances = make([]float64, l.C), make([]float64, l.C)
	area := l.H * l.W
	count := float64(l.N * area)
	for c := range l.C {
		each := func(f func(i int)) {
			for n := range l.N {
				for p := range area {
					f((n*l.C+c)*area + p)
				}
			}
		}
		mean, variance := 0.0, 0.0
		each(func(i int) { mean += float64(x[i]) / count })
		each(func(i int) { variance += (float64(x[i]) - mean) * (float64(x[i]) - mean) / count })
		means[c], variances[c] = mean, variance
		inverse := 1 / math.Sqrt(variance+1e-5)
		sum, dot := 0.0, 0.0
		each(func(i int) {
			hat := (float64(x[i]) - mean) * inverse
			y[i] = hat*float64(gamma[c]) + float64(beta[c])
			if shortcut != nil {
				y[i] += float64(shortcut[i])
			}
			ds[i] = float64(dy[i])
			if relu && y[i] <= 0 {
				y[i], ds[i] = 0, 0
			}
			sum += ds[i]
			dot += ds[i] * hat
		})
		dgamma[c], dbeta[c] = dot, sum
		each(func(i int) {
			hat := (float64(x[i]) - mean) * inverse
			dx[i] = float64(gamma[c]) * inverse * (ds[i] - sum/count - hat*dot/count)
		})
	}
	return y, dx, ds, dgamma, dbeta, means, variances
}

func TestNorm(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, size := range [][4]int{{2, 37, 5, 4}, {1, 16, 3, 3}, {3, 48, 7, 7}, {2, 16, 40, 19}} {
			for _, how := range []struct{ relu, shortcut bool }{{false, false}, {true, false}, {true, true}, {false, true}} {
				for _, halo := range []int{0, 1} {
					t.Run(fmt.Sprint(size, how, halo), func(t *testing.T) {
						testNorm(t, NewLayout(size[0], size[1], size[2], size[3], 0), NewLayout(size[0], size[1], size[2], size[3], halo), how.relu, how.shortcut)
					})
				}
			}
		}
	})
}

func testNorm(t *testing.T, in, out Layout, relu, withShortcut bool) {
	n := in.N * in.C * in.H * in.W
	x, dy, gamma, beta := random(n, "x"), random(n, "dy"), random(in.C, "gamma"), random(in.C, "beta")
	for i := range x {
		x[i] += 3 // the mean is not near 0
	}
	var shortcut, packedShortcut []float32
	if withShortcut {
		shortcut, packedShortcut = random(n, "shortcut"), make([]float32, out.Len())
		out.Pack(in.N, shortcut, packedShortcut)
	}
	wantY, wantDX, wantDS, wantDG, wantDB, means, variances := slowNorm(in, x, shortcut, gamma, beta, dy, relu)
	px, py, pdy, pdx := make([]float32, in.Len()), make([]float32, out.Len()), make([]float32, out.Len()), make([]float32, in.Len())
	in.Pack(in.N, x, px)
	out.Pack(in.N, dy, pdy)
	m := NewNorm(in, out, relu)
	s := Stats{gamma, beta, random(in.C, "running"), random(in.C, "variance")}
	for c := range s.Variance {
		s.Variance[c] = 1 + s.Variance[c]/2
	}
	wantMean, wantVariance := wide(s.Mean), wide(s.Variance)
	for c := range means {
		count := float64(in.N * in.H * in.W)
		wantMean[c] += 0.1 * (means[c] - wantMean[c])
		wantVariance[c] += 0.1 * (variances[c]*count/max(count-1, 1) - wantVariance[c])
	}
	m.Train(in.N, px, packedShortcut, s, py)
	m.Move(s)
	y := make([]float32, n)
	out.Unpack(in.N, py, y)
	near(t, "y", y, wantY)
	checkFrame(t, "y", out, py)
	near(t, "running mean", s.Mean, wantMean)
	near(t, "running variance", s.Variance, wantVariance)

	var g []float32
	if withShortcut {
		g = pdy // in its place
	}
	dgamma, dbeta := make([]float32, in.C), make([]float32, in.C)
	m.Backward(in.N, px, py, pdy, gamma, g, pdx, dgamma, dbeta)
	dx := make([]float32, n)
	in.Unpack(in.N, pdx, dx)
	near(t, "dx", dx, wantDX)
	near(t, "dgamma", dgamma, wantDG)
	near(t, "dbeta", dbeta, wantDB)
	if withShortcut {
		ds := make([]float32, n)
		out.Unpack(in.N, g, ds)
		near(t, "shortcut's gradient", ds, wantDS)
	}

	m.Infer(in.N, px, packedShortcut, s, py)
	out.Unpack(in.N, py, y)
	for i := range wantY {
		c := i / (in.H * in.W) % in.C
		wantY[i] = (float64(x[i])-float64(s.Mean[c]))/math.Sqrt(float64(s.Variance[c])+1e-5)*float64(gamma[c]) + float64(beta[c])
		if withShortcut {
			wantY[i] += float64(shortcut[i])
		}
		if relu {
			wantY[i] = max(wantY[i], 0)
		}
	}
	near(t, "y in inference", y, wantY)
}

// A channel that does not vary has no scale to divide by.
func TestNormOfConstants(t *testing.T) {
	l := NewLayout(1, 16, 2, 2, 0)
	x, y := make([]float32, l.Len()), make([]float32, l.Len())
	for i := range x {
		x[i] = 7
	}
	one, zero := make([]float32, 16), make([]float32, 16)
	for i := range one {
		one[i] = 1
	}
	NewNorm(l, l, false).Train(1, x, nil, Stats{one, zero, make([]float32, 16), make([]float32, 16)}, y)
	if slices.ContainsFunc(y, func(v float32) bool { return v != 0 }) {
		t.Errorf("normalised constants = %v, want zeros", y)
	}
}

func TestMaxPool(t *testing.T) { eachLevel(t, testMaxPool) }

func testMaxPool(t *testing.T) {
	for _, c := range []struct{ n, c, h, w, k, stride, pad int }{
		{2, 20, 8, 9, 3, 2, 1}, {1, 16, 6, 4, 2, 2, 0}, {1, 16, 7, 7, 2, 2, 0}, {2, 16, 5, 5, 3, 1, 1}, {1, 16, 1, 1, 3, 2, 1}, {1, 32, 13, 16, 3, 2, 1}, {1, 16, 9, 8, 5, 3, 2},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			oh, ow := (c.h+2*c.pad-c.k)/c.stride+1, (c.w+2*c.pad-c.k)/c.stride+1
			in, out := NewLayout(c.n, c.c, c.h, c.w, 0), NewLayout(c.n, c.c, oh, ow, 1)
			x, dy := random(c.n*c.c*c.h*c.w, "x"), random(c.n*c.c*oh*ow, "dy")
			for i := range x {
				x[i] = float32(math.Round(float64(x[i])*3)) - 4 // many are equal, all are below 0
			}
			wantY, wantDX := make([]float64, len(dy)), make([]float64, len(x))
			for i := range wantY {
				col, row, plane := i%ow, i/ow%oh, i/ow/oh
				best, from := math.Inf(-1), -1
				for ky := range c.k {
					for kx := range c.k {
						iy, ix := row*c.stride+ky-c.pad, col*c.stride+kx-c.pad
						if iy < 0 || ix < 0 || iy >= c.h || ix >= c.w {
							continue
						}
						if at := (plane*c.h+iy)*c.w + ix; float64(x[at]) > best {
							best, from = float64(x[at]), at
						}
					}
				}
				wantY[i] = best
				wantDX[from] += float64(dy[i])
			}
			px, py, pdy, pdx := make([]float32, in.Len()), make([]float32, out.Len()), make([]float32, out.Len()), random(in.Len(), "old")
			in.Pack(c.n, x, px)
			out.Pack(c.n, dy, pdy)
			p := NewMaxPool(in, out, c.k, c.stride, c.pad)
			y, dx := make([]float32, len(dy)), make([]float32, len(x))
			for _, backward := range []bool{false, true} {
				p.Forward(c.n, px, py, backward)
				out.Unpack(c.n, py, y)
				near(t, "y", y, wantY)
			}
			p.Backward(pdy, pdx)
			in.Unpack(c.n, pdx, dx)
			near(t, "dx", dx, wantDX)
		})
	}
}

func TestGlobalMean(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		l := NewLayout(2, 20, 5, 7, 1)
		area := l.H * l.W
		x, dy := random(l.N*l.C*area, "x"), random(l.N*l.C, "dy")
		want, wantDX := make([]float64, l.N*l.C), make([]float64, len(x))
		for i, v := range x {
			want[i/area] += float64(v) / float64(area)
			wantDX[i] = float64(dy[i/area]) / float64(area)
		}
		px, pdx, y, dx := make([]float32, l.Len()), make([]float32, l.Len()), make([]float32, len(dy)), make([]float32, len(x))
		l.Pack(l.N, x, px)
		GlobalMean(l, l.N, px, y)
		near(t, "y", y, want)
		GlobalMeanBackward(l, dy, pdx, false)
		l.Unpack(l.N, pdx, dx)
		near(t, "dx", dx, wantDX)
		GlobalMeanBackward(l, dy, px, true)
		l.Unpack(l.N, px, dx)
		for i := range wantDX {
			wantDX[i] += float64(x[i])
		}
		near(t, "dx added", dx, wantDX)
	})
}

func TestGate(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		in, out := NewLayout(2, 20, 5, 3, 0), NewLayout(2, 20, 5, 3, 1)
		area := in.H * in.W
		n := in.N * in.C * area
		x, shortcut, dy, z := random(n, "x"), random(n, "shortcut"), random(n, "dy"), random(in.N*in.C, "z")
		wantY, wantDX, wantDS, wantDZ := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, len(z))
		for i := range wantY {
			o := 1 / (1 + math.Exp(-float64(z[i/area])))
			wantY[i] = float64(x[i])*o + float64(shortcut[i])
			if wantY[i] <= 0 {
				wantY[i] = 0
				continue
			}
			wantDS[i], wantDX[i] = float64(dy[i]), float64(dy[i])*o
			wantDZ[i/area] += float64(dy[i]) * float64(x[i]) * o * (1 - o)
		}
		px, ps, py, pdy, pdx := make([]float32, in.Len()), make([]float32, out.Len()), make([]float32, out.Len()), make([]float32, out.Len()), make([]float32, in.Len())
		in.Pack(in.N, x, px)
		out.Pack(in.N, shortcut, ps)
		out.Pack(in.N, dy, pdy)
		g := NewGate(in, out)
		g.Forward(in.N, px, z, ps, py)
		y, dx, ds, dz := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, len(z))
		out.Unpack(in.N, py, y)
		near(t, "y", y, wantY)
		g.Backward(px, py, pdy, pdy, pdx, dz)
		in.Unpack(in.N, pdx, dx)
		out.Unpack(in.N, pdy, ds)
		near(t, "dx", dx, wantDX)
		near(t, "shortcut's gradient", ds, wantDS)
		near(t, "dz", dz, wantDZ)
	})
}

// The updates have the same bits at all levels, tails included.
func TestOptimizersAreEqualToTheBit(t *testing.T) {
	const n = 16*5 + 7
	var want [2][]float32
	eachLevel(t, func(t *testing.T) {
		for i, f := range []func(w, g, a, b []float32){
			func(w, g, a, b []float32) { Momentum(w, g, a, 0.1, 0.9, 1e-3) },
			func(w, g, a, b []float32) { Adadelta(w, g, a, b, 1, 0.95, 1-0.95, 1e-7, 1e-3) },
		} {
			w, a, b := random(n, "w"), make([]float32, n), make([]float32, n)
			for step := range 5 {
				f(w, random(n, "g", step), a, b)
			}
			got := slices.Concat(w, a, b)
			if want[i] == nil {
				want[i] = got
			}
			if !slices.Equal(got, want[i]) {
				t.Errorf("optimiser %d differs from the portable one", i)
			}
		}
	})
}

func TestClearFrame(t *testing.T) {
	l := NewLayout(2, 20, 3, 4, 2)
	flat, x := random(2*20*3*4, "x"), random(l.Len(), "old")
	l.Pack(2, flat, x)
	l.ClearFrame(x)
	want := make([]float32, l.Len())
	l.Pack(2, flat, want)
	for i := range x { // lanes past the last channel are no part of the frame
		if x[i] != want[i] && want[i] != 0 {
			t.Fatalf("number %d = %v, want %v", i, x[i], want[i])
		}
	}
	one := NewLayout(1, 16, 1, 1, 1)
	x = random(one.Len(), "old")
	one.ClearFrame(x)
	for i, v := range x {
		if inside := i/16 == 4; inside == (v == 0) {
			t.Errorf("pixel %d = %v, inside: %v", i/16, v, inside)
		}
	}
}
