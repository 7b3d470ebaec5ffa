package kernel

import "fmt"

// AvgPool is the mean over KxK windows that move by Stride and stay inside the map.
type AvgPool struct {
	In, Out   Layout
	K, Stride int
}

// NewAvgPool prepares average pooling. The output has (size - k) / stride + 1 rows and columns.
func NewAvgPool(in, out Layout, k, stride int) *AvgPool {
	if out.C != in.C || out.N != in.N || out.Block != in.Block || in.H < k || in.W < k ||
		out.H != (in.H-k)/stride+1 || out.W != (in.W-k)/stride+1 {
		panic(fmt.Sprintf("kernel: average pool of %d, stride %d: from %+v to %+v", k, stride, in, out))
	}
	return &AvgPool{in, out, k, stride}
}

// Forward computes the first n samples of y from x.
func (p *AvgPool) Forward(n int, x, y []float32) {
	p.In.check("AvgPool: x", x)
	p.Out.check("AvgPool: y", y)
	scale := 1 / float32(p.K*p.K)
	nb, block := p.In.Blocks(), p.In.Block
	Parallel(n*nb*p.Out.H, func(i int) {
		row, b, sample := i%p.Out.H, i/p.Out.H%nb, i/p.Out.H/nb
		from := x[p.In.at(sample, b)+row*p.Stride*p.In.Row():]
		to := y[p.Out.at(sample, b)+row*p.Out.Row():]
		for c := range p.Out.W {
			var sum [BlockSize]float32
			for ky := range p.K {
				run := from[ky*p.In.Row()+c*p.Stride*block:][:p.K*block]
				for len(run) > 0 {
					for l, v := range run[:block] {
						sum[l] += v
					}
					run = run[block:]
				}
			}
			for l := range block {
				to[c*block+l] = sum[l] * scale
			}
		}
	})
}

// Backward computes dx from dy: each pixel gets its share of every window that holds it.
func (p *AvgPool) Backward(dy, dx []float32) {
	p.Out.check("AvgPool: dy", dy)
	p.In.check("AvgPool: dx", dx)
	scale := 1 / float32(p.K*p.K)
	nb, block := p.In.Blocks(), p.In.Block
	Parallel(p.In.N*nb*p.In.H, func(i int) {
		row, b, sample := i%p.In.H, i/p.In.H%nb, i/p.In.H/nb
		from := dy[p.Out.at(sample, b):]
		to := dx[p.In.at(sample, b)+row*p.In.Row():]
		r0, r1 := p.holders(row, p.Out.H)
		for c := range p.In.W {
			var sum [BlockSize]float32
			c0, c1 := p.holders(c, p.Out.W)
			for r := r0; r < r1; r++ {
				for o := c0; o < c1; o++ {
					for l, v := range from[r*p.Out.Row()+o*block:][:block] {
						sum[l] += v
					}
				}
			}
			for l := range block {
				to[c*block+l] = sum[l] * scale
			}
		}
	})
}

// holders returns the windows [first, end) along one axis that hold pixel i.
func (p *AvgPool) holders(i, out int) (first, end int) {
	if i >= p.K {
		first = (i-p.K)/p.Stride + 1
	}
	return first, min(i/p.Stride+1, out)
}
