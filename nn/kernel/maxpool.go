package kernel

import "fmt"

// MaxPool is the maximum over KxK windows that move by Stride; Pad pixels around the map never win.
// Where several pixels of a window are largest, the gradient goes to the first, row by row.
type MaxPool struct {
	In, Out        Layout
	K, Stride, Pad int
	from           []uint8 // of each output in the last forward pass: which pixel of the window it came from
}

// NewMaxPool prepares max pooling. The output has (size + 2*pad - k) / stride + 1 rows and columns.
func NewMaxPool(in, out Layout, k, stride, pad int) *MaxPool {
	if out.C != in.C || out.N != in.N || in.Block != BlockSize || out.Block != BlockSize || k > 15 || 2*pad > k ||
		in.H+2*pad < k || in.W+2*pad < k || out.H != (in.H+2*pad-k)/stride+1 || out.W != (in.W+2*pad-k)/stride+1 {
		panic(fmt.Sprintf("kernel: max pool of %d, stride %d, padding %d: from %+v to %+v", k, stride, pad, in, out))
	}
	return &MaxPool{In: in, Out: out, K: k, Stride: stride, Pad: pad}
}

// Forward computes the first n samples of y from x, and remembers where they came from if they are
// to be followed by Backward.
func (p *MaxPool) Forward(n int, x, y []float32, backward bool) {
	p.In.check("MaxPool: x", x)
	p.Out.check("MaxPool: y", y)
	if backward && p.from == nil {
		p.from = make([]uint8, p.Out.N*p.Out.Blocks()*p.Out.H*p.Out.W*BlockSize)
	}
	nb := p.In.Blocks()
	Parallel(n*nb*p.Out.H, func(i int) {
		row, b, sample := i%p.Out.H, i/p.Out.H%nb, i/p.Out.H/nb
		to := y[p.Out.at(sample, b)+row*p.Out.Row():][:p.Out.W*BlockSize]
		plane := p.In.at(sample, b)
		top := row*p.Stride - p.Pad
		var from []uint8
		if backward {
			from = p.from[i*p.Out.W*BlockSize:][:p.Out.W*BlockSize]
		}
		first, end := p.whole()
		if !backward || inForce != avx512 || first >= end {
			first, end = p.Out.W, p.Out.W
		}
		for c := range first {
			p.window(x, plane, top, c, to, from)
		}
		if first < end {
			ky := max(0, -top)
			rows := min(p.K, p.In.H-top) - ky
			left := first*p.Stride - p.Pad
			at := plane + (top+ky)*p.In.Row() + left*BlockSize
			_ = x[at+(rows-1)*p.In.Row()+((end-first-1)*p.Stride+p.K)*BlockSize-1]
			maxRow512(&x[at], &to[first*BlockSize], &from[first*BlockSize], end-first, rows, p.K, int32(ky*p.K),
				uintptr(4*p.Stride*BlockSize), uintptr(4*p.In.Row()))
		}
		for c := end; c < p.Out.W; c++ {
			p.window(x, plane, top, c, to, from)
		}
	})
}

// whole returns the outputs of a row whose windows lie within the map from left to right.
func (p *MaxPool) whole() (first, end int) {
	first = (p.Pad + p.Stride - 1) / p.Stride
	return first, min((p.In.W+p.Pad-p.K)/p.Stride+1, p.Out.W)
}

// window computes output c of a row whose windows begin at row top of the map; from is nil where
// nobody asks where the numbers came from.
func (p *MaxPool) window(x []float32, plane, top, c int, to []float32, from []uint8) {
	left := c*p.Stride - p.Pad
	var best vec
	var tap [BlockSize]uint8
	first := true
	for ky := max(0, -top); ky < min(p.K, p.In.H-top); ky++ {
		for kx := max(0, -left); kx < min(p.K, p.In.W-left); kx++ {
			v := (*vec)(x[plane+(top+ky)*p.In.Row()+(left+kx)*BlockSize:])
			if first {
				best, first = *v, false
				for l := range tap {
					tap[l] = uint8(ky*p.K + kx)
				}
				continue
			}
			for l, s := range v {
				if s > best[l] {
					best[l], tap[l] = s, uint8(ky*p.K+kx)
				}
			}
		}
	}
	*(*vec)(to[c*BlockSize:]) = best
	if from != nil {
		*(*[BlockSize]uint8)(from[c*BlockSize:]) = tap
	}
}

// Backward computes dx from dy after a Forward of all samples.
func (p *MaxPool) Backward(dy, dx []float32) {
	p.Out.check("MaxPool: dy", dy)
	p.In.check("MaxPool: dx", dx)
	nb := p.In.Blocks()
	Parallel(p.In.N*nb, func(i int) {
		b, sample := i%nb, i/nb
		plane := p.In.at(sample, b)
		p.In.runs(sample, b, func(at, pixels int) { clear(dx[at : at+pixels*BlockSize]) })
		for row := range p.Out.H {
			g := dy[p.Out.at(sample, b)+row*p.Out.Row():]
			for c := range p.Out.W {
				corner := plane + (row*p.Stride-p.Pad)*p.In.Row() + (c*p.Stride-p.Pad)*BlockSize
				from := (*[BlockSize]uint8)(p.from[((i*p.Out.H+row)*p.Out.W+c)*BlockSize:])
				for l, k := range from {
					dx[corner+int(k)/p.K*p.In.Row()+int(k)%p.K*BlockSize+l] += g[c*BlockSize+l]
				}
			}
		}
	})
}

// GlobalMean computes the mean of each map, y [N, C], for the first n samples.
func GlobalMean(in Layout, n int, x, y []float32) {
	in.check("GlobalMean: x", x)
	need("GlobalMean: y", len(y), n*in.C)
	Parallel(n*in.Blocks(), func(i int) {
		b, sample := i%in.Blocks(), i/in.Blocks()
		sum := in.total(x, sample, b)
		for l := range min(BlockSize, in.C-b*BlockSize) {
			y[sample*in.C+b*BlockSize+l] = float32(sum[l] / float64(in.H*in.W))
		}
	})
}

// total sums the pixels of a block.
func (l Layout) total(x []float32, sample, block int) (total [BlockSize]float64) {
	var shift vec
	l.runs(sample, block, func(at, pixels int) {
		for pixels > 0 {
			k := min(pixels, momentPixels)
			var sum, squares vec
			moments(x[at:], k, &shift, &sum, &squares)
			for i, v := range sum {
				total[i] += float64(v)
			}
			at, pixels = at+k*BlockSize, pixels-k
		}
	})
	return total
}

// GlobalMeanBackward computes dx from dy [N, C]; add adds it to what dx holds.
func GlobalMeanBackward(in Layout, dy, dx []float32, add bool) {
	in.check("GlobalMeanBackward: dx", dx)
	need("GlobalMeanBackward: dy", len(dy), in.N*in.C)
	Parallel(in.N*in.Blocks(), func(i int) {
		b, sample := i%in.Blocks(), i/in.Blocks()
		var share, scale vec
		for l := range min(BlockSize, in.C-b*BlockSize) {
			share[l] = dy[sample*in.C+b*BlockSize+l] / float32(in.H*in.W)
		}
		if add {
			for l := range scale {
				scale[l] = 1
			}
		}
		in.runs(sample, b, func(at, pixels int) {
			if add {
				scaleShift(dx[at:], dx[at:], pixels, &scale, &share, none)
				return
			}
			for p := range pixels {
				*(*vec)(dx[at+p*BlockSize:]) = share
			}
		})
	})
}
