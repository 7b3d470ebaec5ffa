package kernel

import (
	"fmt"
	"math"
)

// Norm is batch normalisation of maps, with what may follow it: the addition of a shortcut, and
// a ReLU.
//
//	y = max(0, (x - mean) / sqrt(variance + Epsilon) * gamma + beta + shortcut)
//
// In training mean and variance are those of each channel over the batch's samples and pixels; in
// inference the running ones.
//
// S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
// Internal Covariate Shift", ICML 2015.
type Norm struct {
	In, Out  Layout // may differ in their frames
	ReLU     bool
	Epsilon  float32
	Momentum float32 // share of the batch's statistics in the running ones, as PyTorch counts it

	scale, shift, mean, inverse []vec // of each block in the last forward pass

	batchMean, batchVariance []float64 // [C] of the last training pass; the variance unbiased
}

// NewNorm prepares a normalisation with PyTorch's usual constants.
func NewNorm(in, out Layout, relu bool) *Norm {
	if !sameMaps(in, out) {
		panic(fmt.Sprintf("kernel: normalisation from %+v to %+v", in, out))
	}
	n := in.Blocks()
	return &Norm{In: in, Out: out, ReLU: relu, Epsilon: 1e-5, Momentum: 0.1,
		scale: make([]vec, n), shift: make([]vec, n), mean: make([]vec, n), inverse: make([]vec, n),
		batchMean: make([]float64, in.C), batchVariance: make([]float64, in.C)}
}

func sameMaps(a, b Layout) bool {
	return a.N == b.N && a.C == b.C && a.H == b.H && a.W == b.W && a.Block == BlockSize && b.Block == BlockSize
}

// Stats are a normalisation's parameters and running statistics, [C] each.
type Stats struct{ Gamma, Beta, Mean, Variance []float32 }

// load copies the channels of a block from values.
func load(values []float32, block int) (v vec) {
	copy(v[:], values[block*BlockSize:])
	return v
}

// Train normalises all samples by the statistics of the first n, which [Norm.Move] then takes over into
// the running ones. shortcut has the layout Out, or is nil.
func (m *Norm) Train(n int, x, shortcut []float32, s Stats, y []float32) {
	m.In.check("Norm: x", x)
	m.Out.check("Norm: y", y)
	Parallel(m.In.Blocks(), func(b int) {
		mean, variance := m.statistics(n, x, b)
		count := float64(n * m.In.H * m.In.W)
		gamma, beta := load(s.Gamma, b), load(s.Beta, b)
		for l := range min(BlockSize, m.In.C-b*BlockSize) {
			inverse := 1 / math.Sqrt(variance[l]+float64(m.Epsilon))
			scale := float64(gamma[l]) * inverse
			m.mean[b][l], m.inverse[b][l] = float32(mean[l]), float32(inverse)
			m.scale[b][l] = float32(scale)
			m.shift[b][l] = float32(float64(beta[l]) - float64(mean[l]*scale))
			at := b*BlockSize + l
			m.batchMean[at], m.batchVariance[at] = mean[l], variance[l]*count/max(count-1, 1)
		}
		m.apply(m.In.N, b, x, shortcut, y)
	})
}

// Move moves the running statistics towards those of the last training pass.
func (m *Norm) Move(s Stats) {
	for i, v := range m.batchMean {
		s.Mean[i] += float32(float64(m.Momentum) * (v - float64(s.Mean[i])))
		s.Variance[i] += float32(float64(m.Momentum) * (m.batchVariance[i] - float64(s.Variance[i])))
	}
}

// momentPixels is how many pixels are summed in float32 before the sums are added in float64.
const momentPixels = 256

// statistics returns mean and variance of a block's channels.
func (m *Norm) statistics(n int, x []float32, b int) (mean, variance [BlockSize]float64) {
	// Squares are taken of the distance from some pixel, which lies nearer to the mean than 0 may.
	shift := vec(x[m.In.at(0, b):][:BlockSize])
	var sum, squares [BlockSize]float64
	for i := range n {
		m.In.runs(i, b, func(at, pixels int) {
			for pixels > 0 {
				k := min(pixels, momentPixels)
				var s, q vec
				moments(x[at:], k, &shift, &s, &q)
				for l := range s {
					sum[l] += float64(s[l])
					squares[l] += float64(q[l])
				}
				at, pixels = at+k*BlockSize, pixels-k
			}
		})
	}
	count := float64(n * m.In.H * m.In.W)
	for l := range sum {
		d := sum[l] / count
		mean[l] = float64(shift[l]) + d
		variance[l] = max(squares[l]/count-float64(d*d), 0)
	}
	return mean, variance
}

// Infer normalises the first n samples by the running statistics.
func (m *Norm) Infer(n int, x, shortcut []float32, s Stats, y []float32) {
	m.In.check("Norm: x", x)
	m.Out.check("Norm: y", y)
	Parallel(m.In.Blocks(), func(b int) {
		gamma, beta, mean, variance := load(s.Gamma, b), load(s.Beta, b), load(s.Mean, b), load(s.Variance, b)
		for l := range min(BlockSize, m.In.C-b*BlockSize) {
			scale := float64(gamma[l]) / math.Sqrt(float64(variance[l])+float64(m.Epsilon))
			m.scale[b][l] = float32(scale)
			m.shift[b][l] = float32(float64(beta[l]) - float64(float64(mean[l])*scale))
		}
		m.apply(n, b, x, shortcut, y)
	})
}

func (m *Norm) apply(n, b int, x, shortcut, y []float32) {
	floor := floorOf(m.ReLU)
	for i := range n {
		m.pairs(i, b, func(in, out, pixels int) {
			if shortcut != nil {
				scaleShiftAdd(x[in:], shortcut[out:], y[out:], pixels, &m.scale[b], &m.shift[b], floor)
			} else {
				scaleShift(x[in:], y[out:], pixels, &m.scale[b], &m.shift[b], floor)
			}
		})
	}
}

// pairs calls f with the runs of pixels that lie side by side in both layouts.
func (m *Norm) pairs(sample, block int, f func(in, out, pixels int)) {
	pairs(m.In, m.Out, sample, block, f)
}

func pairs(a, b Layout, sample, block int, f func(inA, inB, pixels int)) {
	at, bt := a.at(sample, block), b.at(sample, block)
	if a.Halo == 0 && b.Halo == 0 {
		f(at, bt, a.H*a.W)
		return
	}
	for range a.H {
		f(at, bt, a.W)
		at, bt = at+a.Row(), bt+b.Row()
	}
}

// Backward computes after Train, with the same n, the gradients dx of x, which has the layout In, dgamma and dbeta.
// y is needed after a shortcut's ReLU only; then g, in layout Out, becomes the gradient of sum and
// shortcut, which may be dy itself. Without shortcut g is nil. dx may be dy where the layouts are the same and g is
// another. Samples past the first n have no gradient.
func (m *Norm) Backward(n int, x, y, dy, gamma, g, dx, dgamma, dbeta []float32) {
	m.In.check("Norm.Backward: x", x)
	m.Out.check("Norm.Backward: dy", dy)
	m.In.check("Norm.Backward: dx", dx)
	count := float64(n * m.In.H * m.In.W)
	Parallel(m.In.Blocks(), func(b int) {
		floor := floorOf(m.ReLU)
		grad := dy
		if g != nil {
			grad, floor = g, none // g holds what the ReLU lets pass
		}
		var sum, dot [BlockSize]float64
		for i := range n {
			m.pairs(i, b, func(in, out, pixels int) {
				for pixels > 0 {
					k := min(pixels, momentPixels)
					var s, d vec
					switch {
					case g != nil && m.ReLU:
						reduceMasked(x[in:], y[out:], dy[out:], g[out:], k, &m.mean[b], &s, &d)
					default:
						if g != nil && &g[0] != &dy[0] {
							copy(g[out:out+k*BlockSize], dy[out:])
						}
						reduce(x[in:], grad[out:], k, &m.scale[b], &m.shift[b], &m.mean[b], &s, &d, floor)
					}
					for l := range s {
						sum[l] += float64(s[l])
						dot[l] += float64(d[l])
					}
					in, out, pixels = in+k*BlockSize, out+k*BlockSize, pixels-k
				}
			})
		}
		var a, bx, c vec
		for l := range min(BlockSize, m.In.C-b*BlockSize) {
			at := b*BlockSize + l
			inverse, mean := float64(m.inverse[b][l]), float64(m.mean[b][l])
			dgamma[at], dbeta[at] = float32(dot[l]*inverse), float32(sum[l])
			scale := float64(gamma[at]) * inverse
			slope := -scale * inverse * inverse * dot[l] / count
			a[l], bx[l] = float32(scale), float32(slope)
			c[l] = float32(-scale*sum[l]/count - float64(slope*mean))
		}
		for i := range m.In.N {
			m.pairs(i, b, func(in, out, pixels int) {
				if i >= n {
					clear(dx[in : in+pixels*BlockSize])
					if g != nil {
						clear(g[out : out+pixels*BlockSize])
					}
					return
				}
				normGrad(x[in:], grad[out:], dx[in:], pixels, &a, &bx, &c, &m.scale[b], &m.shift[b], floor)
			})
		}
	})
}
