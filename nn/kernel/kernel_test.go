package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

func wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

func TestAvgPool(t *testing.T) {
	for _, c := range []struct{ n, c, h, w, k, stride int }{
		{2, 32, 48, 43, 7, 7}, {1, 16, 7, 7, 7, 7}, {1, 20, 8, 9, 3, 2}, {2, 16, 5, 6, 2, 1}, {1, 16, 9, 7, 2, 3},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			oh, ow := (c.h-c.k)/c.stride+1, (c.w-c.k)/c.stride+1
			in, out := NewLayout(c.n, c.c, c.h, c.w, 1), NewLayout(c.n, c.c, oh, ow, 0)
			x, dy := random(c.n*c.c*c.h*c.w, "x"), random(c.n*c.c*oh*ow, "dy")
			wantY, wantDX := make([]float64, len(dy)), make([]float64, len(x))
			for i := range wantY {
				col, row, plane := i%ow, i/ow%oh, i/ow/oh
				for ky := range c.k {
					for kx := range c.k {
						at := (plane*c.h+row*c.stride+ky)*c.w + col*c.stride + kx
						wantY[i] += float64(x[at]) / float64(c.k*c.k)
						wantDX[at] += float64(dy[i]) / float64(c.k*c.k)
					}
				}
			}
			p := NewAvgPool(in, out, c.k, c.stride)
			px, py, pdy, pdx := make([]float32, in.Len()), make([]float32, out.Len()), make([]float32, out.Len()), make([]float32, in.Len())
			in.Pack(c.n, x, px)
			out.Pack(c.n, dy, pdy)
			y, dx := make([]float32, len(dy)), make([]float32, len(x))
			p.Forward(c.n, px, py)
			out.Unpack(c.n, py, y)
			p.Backward(pdy, pdx)
			in.Unpack(c.n, pdx, dx)
			near(t, "forward", y, wantY)
			near(t, "gradient", dx, wantDX)
			checkFrame(t, "gradient", in, pdx)
		})
	}
}

func TestLinear(t *testing.T) { eachLevel(t, testLinear) }

func testLinear(t *testing.T) {
	for _, l := range []Linear{{1, 1, 1}, {4, 130, 70}, {7, 33, 5}, {1, 257, 35}, {16, 20, 9}} {
		t.Run(fmt.Sprint(l), func(t *testing.T) {
			x, w, b := random(l.N*l.In, "x"), random(l.Out*l.In, "w"), random(l.Out, "b")
			dy := random(l.N*l.Out, "dy")
			wantY, wantDX := make([]float64, len(dy)), make([]float64, len(x))
			wantDW, wantDB := make([]float64, len(w)), make([]float64, len(b))
			for n := range l.N {
				for o := range l.Out {
					g := float64(dy[n*l.Out+o])
					wantY[n*l.Out+o] = float64(b[o])
					wantDB[o] += g
					for i := range l.In {
						wantY[n*l.Out+o] += float64(x[n*l.In+i]) * float64(w[o*l.In+i])
						wantDX[n*l.In+i] += g * float64(w[o*l.In+i])
						wantDW[o*l.In+i] += g * float64(x[n*l.In+i])
					}
				}
			}
			all := func() []float32 {
				y, dx := random(len(dy), "old"), random(len(x), "old")
				dw, db := random(len(w), "old"), random(len(b), "old")
				l.Forward(l.N, x, w, b, y)
				l.BackwardData(dy, w, dx)
				l.BackwardWeights(x, dy, dw, db)
				return slices.Concat(y, dx, dw, db)
			}
			near(t, "y, dx, dw, db", all(), slices.Concat(wantY, wantDX, wantDW, wantDB))
			withThreads(t, "linear", all)

			// A sample's result does not depend on how many come with it.
			y, one := make([]float32, len(dy)), make([]float32, len(dy))
			l.Forward(l.N, x, w, b, y)
			l.Forward(1, x, w, b, one)
			if !slices.Equal(y[:l.Out], one[:l.Out]) {
				t.Errorf("the first sample alone = %v, want %v", one[:l.Out], y[:l.Out])
			}
		})
	}
}

func TestSoftmaxCrossEntropy(t *testing.T) {
	testSoftmaxCrossEntropy(t, 0)
	testSoftmaxCrossEntropy(t, 0.1)
}

func testSoftmaxCrossEntropy(t *testing.T, smoothing float32) {
	const classes = 37
	logits := random(5*classes, "logits")
	for i := range classes {
		logits[classes+i] = logits[classes+i]*50 + 1e4 // would overflow without subtracting the largest
		logits[3*classes+i] *= 90
	}
	labels := []int32{4, 36, -1, 0, 7}
	p, samples, d := make([]float32, len(logits)), make([]float64, 5), make([]float32, len(logits))
	loss := func(logits []float32) float64 {
		return SoftmaxCrossEntropy(classes, smoothing, logits, labels, p, samples)
	}
	mean := 0.0
	for i, l := range labels {
		if l < 0 {
			continue
		}
		row := wide(logits[i*classes : (i+1)*classes])
		top := slices.Max(row)
		sum, logits := 0.0, 0.0
		for _, v := range row {
			sum += math.Exp(v - top)
			logits += v / classes
		}
		mean += (math.Log(sum) + top - row[l] + float64(smoothing)*(row[l]-logits)) / 4
	}
	if got := loss(logits); math.Abs(got-mean) > 1e-5*mean {
		t.Errorf("loss = %v, want %v", got, mean)
	}
	if samples[2] != 0 {
		t.Errorf("loss of a sample without label = %v, want 0", samples[2])
	}
	SoftmaxCrossEntropyBackward(classes, smoothing, p, labels, 3, d)
	for i := range logits {
		const h = 1.0 / 64 // exact in float32
		up, down := slices.Clone(logits), slices.Clone(logits)
		up[i] += h
		down[i] -= h
		want := 3 * (loss(up) - loss(down)) / (2 * h)
		if math.Abs(float64(d[i])-want) > 1e-4 {
			t.Errorf("gradient of logit %d = %v, want %v", i, d[i], want)
		}
	}
	for i := range labels {
		labels[i] = -1
	}
	if got := loss(logits); got != 0 {
		t.Errorf("loss without any label = %v, want 0", got)
	}
}

func TestReLUBackward(t *testing.T) { eachLevel(t, testReLUBackward) }

func testReLUBackward(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	y := []float32{1, 0, float32(math.Copysign(0, -1)), -1, 1e-45, inf, -inf}
	dy := []float32{2, 3, 4, 5, -6, 7, 8}
	dx := make([]float32, len(y))
	ReLUBackward(y, dy, dx)
	if want := []float32{2, 0, 0, 0, -6, 7, 0}; !slices.Equal(dx, want) {
		t.Errorf("ReLUBackward(%v, %v) = %v, want %v", y, dy, dx, want)
	}
	// A NaN must reach whoever watches the loss, not become zero.
	for _, n := range []int{1, 16} {
		sum, nans := make([]float32, n), make([]float32, n)
		for i := range nans {
			nans[i] = nan
		}
		Add(nans, make([]float32, n), sum, true)
		if sum[0] == sum[0] {
			t.Errorf("NaN of %d + 0 = %v, want NaN", n, sum[0])
		}
	}
}

func TestPackAndUnpack(t *testing.T) {
	for _, l := range []Layout{NewLayout(2, 37, 3, 5, 2), InputLayout(3, 3, 4, 4, 1), NewLayout(1, 16, 1, 1, 0)} {
		x := random(l.N*l.C*l.H*l.W, "x")
		packed, back := make([]float32, l.Len()), make([]float32, len(x))
		l.Pack(l.N, x, packed)
		l.Unpack(l.N, packed, back)
		if !slices.Equal(back, x) {
			t.Errorf("%+v: unpacked differs from what was packed", l)
		}
	}
}

func TestParallelCallsEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		count := make([]int, n)
		Parallel(n, func(i int) { count[i]++ })
		for i, c := range count {
			if c != 1 {
				t.Errorf("Parallel(%d): %d was called %d times, want once", n, i, c)
			}
		}
	}
}
