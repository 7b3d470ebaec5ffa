package kernel

import "fmt"

// ConvShape describes a convolution: a KHxKW window that moves by Stride over an InC x H x W map.
type ConvShape struct {
	InC, OutC int
	H, W      int // of the input
	KH, KW    int
	Stride    int
	Pad       Padding
	ReLU      bool // the output is max(0, convolution + bias)
}

// OutH is the number of output rows.
func (s ConvShape) OutH() int { return (s.H+s.Pad.Top+s.Pad.Bottom-s.KH)/s.Stride + 1 }

// OutW is the number of output columns.
func (s ConvShape) OutW() int { return (s.W+s.Pad.Left+s.Pad.Right-s.KW)/s.Stride + 1 }

// MACs is the number of multiplications and additions for one sample, windows over the edge counted whole.
func (s ConvShape) MACs() int64 {
	return int64(s.OutH()) * int64(s.OutW()) * int64(s.OutC) * int64(s.InC) * int64(s.KH*s.KW)
}

// Halos returns the least frames of input and output that the convolution needs. The output's
// serves the gradient, whose windows reach over the output's edge.
func (s ConvShape) Halos() (in, out int) {
	in = max(s.Pad.Top, s.Pad.Left,
		(s.OutH()-1)*s.Stride-s.Pad.Top+s.KH-s.H,
		(s.OutW()-1)*s.Stride-s.Pad.Left+s.KW-s.W)
	for phase := range s.Stride {
		out = max(out, reach(s.H, s.KH, s.Stride, s.Pad.Top, phase, s.OutH()),
			reach(s.W, s.KW, s.Stride, s.Pad.Left, phase, s.OutW()))
	}
	return in, out
}

// phaseTaps lists, along one axis, which taps k of the kernel touch the input pixels
// phase, phase+stride, phase+2*stride, ... They come from the largest to the smallest, so that the output pixels
// they belong to ascend: pixel number m meets outputs m+first, m+first+1, ...
func phaseTaps(k, stride, pad, phase int) (taps []int, first int) {
	// input pixel i = out*stride - pad + tap, hence tap = phase + pad modulo stride
	q := (phase + pad) % stride
	for tap := q; tap < k; tap += stride {
		taps = append([]int{tap}, taps...)
	}
	if len(taps) == 0 {
		return nil, 0
	}
	return taps, (phase + pad - taps[0]) / stride
}

// reach says how far the windows of a phase reach over the output's edge.
func reach(size, k, stride, pad, phase, out int) int {
	taps, first := phaseTaps(k, stride, pad, phase)
	if len(taps) == 0 || phase >= size {
		return 0
	}
	last := (size-1-phase)/stride + first + len(taps) - 1
	return max(-first, last-(out-1))
}

// Conv is a convolution between two layouts.
// One Conv, and those that share its scratch, must not be used by two goroutines at once.
type Conv struct {
	ConvShape
	In, Out  Layout
	forward  *pass
	backward []*pass // one for each phase of the stride
	bias     []float32
	scratch  *Scratch
	totals   [][BlockSize]float64 // of dy, by sample and block
}

// NewConv prepares a convolution. The layouts must agree with the shape, and their frames be at
// least what [ConvShape.Halos] says; out must be in blocks of [BlockSize]. Repacked weights stand
// in scratch while a kernel runs; nil is scratch of its own.
func NewConv(s ConvShape, in, out Layout, scratch *Scratch) *Conv {
	haloIn, haloOut := s.Halos()
	switch {
	case s.OutH() < 1 || s.OutW() < 1 || s.Stride < 1 || s.KH < 1 || s.KW < 1:
		panic(fmt.Sprintf("kernel: convolution without output: %+v", s))
	case in.C != s.InC || in.H != s.H || in.W != s.W || in.Halo < haloIn:
		panic(fmt.Sprintf("kernel: convolution %+v: input %+v, want a halo of %d", s, in, haloIn))
	case out.C != s.OutC || out.H != s.OutH() || out.W != s.OutW() || out.Halo < haloOut || out.N != in.N || out.Block != BlockSize:
		panic(fmt.Sprintf("kernel: convolution %+v: output %+v, want a halo of %d", s, out, haloOut))
	}
	if scratch == nil {
		scratch = &Scratch{}
	}
	c := &Conv{ConvShape: s, In: in, Out: out, scratch: scratch}
	c.bias = make([]float32, (out.Blocks()+1)*BlockSize)
	c.forward = &pass{
		src: in, dst: out, rows: out.H, cols: out.W,
		srcRow: in.Halo - s.Pad.Top, srcCol: in.Halo - s.Pad.Left, srcStep: s.Stride,
		dstRow: out.Halo, dstCol: out.Halo, dstStep: 1,
		ky: ascending(s.KH), kx: ascending(s.KW), relu: s.ReLU,
	}
	return c
}

// Forward computes the first n samples of y from x, weights [OutC, InC, KH, KW] and bias [OutC],
// which may be nil.
func (c *Conv) Forward(n int, x, weight, bias, y []float32) {
	c.In.check("Forward: x", x)
	c.Out.check("Forward: y", y)
	need("Forward: weight", len(weight), c.weights())
	var padded []float32
	if bias != nil {
		padded = c.bias
		copy(padded, bias[:c.OutC])
	}
	c.run(c.forward, n, x, weight, c.InC*c.KH*c.KW, c.KH*c.KW, padded, y, false)
}

// run packs the weights for a pass and computes it.
func (c *Conv) run(p *pass, n int, x, weight []float32, dstStride, srcStride int, bias, y []float32, add bool) {
	size := p.perChannel() * p.dst.Blocks() * BlockSize
	if p.winograd() && !p.few() {
		p.runMany(c.scratch, n, x, func(g int, packed []float32) {
			p.packGroup(g, weight, dstStride, srcStride, c.KW, packed)
		}, bias, y, add)
		return
	}
	if p.winograd() {
		all, room := p.room(c.scratch, size+p.groups()*p.transformed(p.width()))
		packed, transformed := all[:size], all[size:]
		p.pack(weight, dstStride, srcStride, c.KW, packed)
		p.runWinograd(n, x, packed, transformed, bias, y, add, room)
		return
	}
	packed := c.scratch.take(size)
	p.pack(weight, dstStride, srcStride, c.KW, packed)
	p.run(n, x, packed, bias, y, add)
}

// BackwardData computes dx, the gradient of the input, from dy, that of the output before
// its ReLU; add adds it to what dx holds.
//
// With a stride s the input's pixels fall into s*s phases, each of which meets only the taps of
// its own remainder; each is a convolution of dy of stride 1.
func (c *Conv) BackwardData(dy, weight, dx []float32, add bool) {
	c.Out.check("BackwardData: dy", dy)
	c.In.check("BackwardData: dx", dx)
	need("BackwardData: weight", len(weight), c.weights())
	if c.backward == nil {
		c.backward = c.phases()
	}
	for _, p := range c.backward {
		c.run(p, c.In.N, dy, weight, c.KH*c.KW, c.InC*c.KH*c.KW, nil, dx, add)
	}
}

func (c *Conv) phases() (ps []*pass) {
	for py := range min(c.Stride, c.H) {
		for px := range min(c.Stride, c.W) {
			ky, oy := phaseTaps(c.KH, c.Stride, c.Pad.Top, py)
			kx, ox := phaseTaps(c.KW, c.Stride, c.Pad.Left, px)
			ps = append(ps, &pass{
				src: c.Out, dst: c.In,
				rows: (c.H-py-1)/c.Stride + 1, cols: (c.W-px-1)/c.Stride + 1,
				srcRow: c.Out.Halo + oy, srcCol: c.Out.Halo + ox, srcStep: 1,
				dstRow: c.In.Halo + py, dstCol: c.In.Halo + px, dstStep: c.Stride,
				ky: ky, kx: kx,
			})
		}
	}
	return ps
}

func (c *Conv) weights() int { return c.OutC * c.InC * c.KH * c.KW }

func ascending(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
