package nn

import (
	"github.com/vf2prep/vf2prep/nn/kernel"
	"github.com/vf2prep/vf2prep/rng"
)

// avgPoolUnit is average pooling.
type avgPoolUnit struct {
	base
	pool *kernel.AvgPool
}

func (u *avgPoolUnit) forward(g *graph, in []*value) *value {
	x, out := in[0], u.net.buffer(u.layer)
	return u.apply(g, out, func() { u.pool.Forward(u.net.batch, x.buf.data, out.data) }, x)
}

func (u *avgPoolUnit) backward(b *backward, _ []*value, _, dy *value) {
	out := b.net.buffer(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() { u.pool.Backward(dy.buf.data, out.data) }, dy))
}

// maxPoolUnit is max pooling.
type maxPoolUnit struct {
	base
	pool *kernel.MaxPool
}

func (u *maxPoolUnit) forward(g *graph, in []*value) *value {
	x, out := in[0], u.net.buffer(u.layer)
	return u.apply(g, out, func() { u.pool.Forward(u.net.batch, x.buf.data, out.data, g.train) }, x)
}

func (u *maxPoolUnit) backward(b *backward, _ []*value, _, dy *value) {
	out := b.net.buffer(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() { u.pool.Backward(dy.buf.data, out.data) }, dy))
}

// meanUnit is global average pooling.
type meanUnit struct{ base }

func (u *meanUnit) forward(g *graph, in []*value) *value {
	x, out, layout := in[0], u.net.outputOf(u.layer), u.layoutOf(u.in[0])
	return u.apply(g, out, func() { kernel.GlobalMean(layout, u.net.batch, x.buf.data, out.data) }, x)
}

func (u *meanUnit) backward(b *backward, _ []*value, _, dy *value) {
	layout := u.layoutOf(u.in[0])
	b.into(u.in[0], func(out *buffer, add bool) {
		kernel.GlobalMeanBackward(layout, dy.buf.data, out.data, add)
	}, dy)
}

// gateUnit scales maps by the sigmoid of one number each and adds the shortcut. Its inputs are the
// maps, the numbers and the shortcut.
type gateUnit struct {
	base
	gate *kernel.Gate
}

func (u *gateUnit) forward(g *graph, in []*value) *value {
	out := u.net.buffer(u.layer)
	return u.apply(g, out, func() {
		u.gate.Forward(u.net.batch, in[0].buf.data, in[1].buf.data, in[2].buf.data, out.data)
	}, in...)
}

func (u *gateUnit) backward(b *backward, in []*value, y, dy *value) {
	shared := dy.buf
	if !b.mine(dy) {
		shared = b.net.buffer(u.layer)
	}
	b.side(shared)
	dz := b.net.buffer(u.in[1])
	b.side(dz)
	out := b.net.buffer(u.in[0])
	dx := b.apply(u.name+".grad", out, func() {
		u.gate.Backward(in[0].buf.data, y.buf.data, dy.buf.data, shared.data, out.data, dz.data)
	}, in[0], y, dy)
	b.give(u.in[0], dx)
	b.give(u.in[1], &value{dx.node, dz})
	b.give(u.in[2], &value{dx.node, shared})
}

// flattenUnit brings maps in the order channel, row, column, one row of features a sample.
type flattenUnit struct{ base }

func (u *flattenUnit) forward(g *graph, in []*value) *value {
	x, out, layout := in[0], u.net.outputOf(u.layer), u.layoutOf(u.in[0])
	return u.apply(g, out, func() { layout.Unpack(u.net.batch, x.buf.data, out.data) }, x)
}

func (u *flattenUnit) backward(b *backward, _ []*value, _, dy *value) {
	out, layout := b.net.buffer(u.in[0]), u.layoutOf(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() { layout.Pack(layout.N, dy.buf.data, out.data) }, dy))
}

// dropoutUnit sets features to zero at random while training, and scales the others so that the
// mean stays. What falls depends on seed, step, layer and place alone.
//
// N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
// JMLR 15, 2014.
type dropoutUnit struct {
	base
	mask []float32 // of the last forward pass
}

func (u *dropoutUnit) forward(g *graph, in []*value) *value {
	if !g.train || !u.learns || u.rate == 0 {
		return in[0]
	}
	n, x, out := u.net, in[0], u.net.buffer(u.layer)
	width := u.layer.out[0]
	u.mask = make([]float32, n.cfg.Batch*width)
	return u.apply(g, out, func() {
		scale := float32(1 / (1 - u.rate))
		kernel.Parallel(n.cfg.Batch, func(i int) {
			r := rng.Stream(n.cfg.Seed, "dropout", u.name, n.step, i)
			mask, x, y := u.mask[i*width:(i+1)*width], x.buf.data[i*width:], out.data[i*width:]
			for k := range mask {
				mask[k] = 0
				if r.Between(0, 1) >= u.rate {
					mask[k] = scale
				}
				y[k] = x[k] * mask[k]
			}
		})
	}, x)
}

func (u *dropoutUnit) backward(b *backward, _ []*value, _, dy *value) {
	if u.rate == 0 {
		b.give(u.in[0], dy)
		return
	}
	out := b.net.buffer(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() {
		for i, m := range u.mask {
			out.data[i] = dy.buf.data[i] * m
		}
	}, dy))
}

// softmaxUnit is the softmax and the mean cross-entropy with the labels.
type softmaxUnit struct {
	base
	probabilities []float32
}

func (u *softmaxUnit) forward(g *graph, in []*value) *value {
	h, logits, out := u.net.head(u.layer), in[0], bufferOf(make([]float32, 1), 1)
	return u.apply(g, out, func() {
		h.loss = kernel.SoftmaxCrossEntropy(u.out[0], u.smoothing(), logits.buf.data, h.labels, u.probabilities, h.samples)
		out.data[0] = float32(h.loss)
	}, logits)
}

// smoothing is for identities: ages and genders have few classes, and what is near is known.
func (u *softmaxUnit) smoothing() float32 {
	if u.head.Kind != Identity {
		return 0
	}
	return float32(u.net.cfg.LabelSmoothing)
}

func (u *softmaxUnit) backward(b *backward, in []*value, y, _ *value) {
	out, h := b.net.buffer(u.in[0]), u.net.head(u.layer)
	b.give(u.in[0], b.apply(u.name+".grad", out, func() {
		kernel.SoftmaxCrossEntropyBackward(u.out[0], u.smoothing(), u.probabilities, h.labels, float32(h.Weight), out.data)
	}, in[0], y))
}

// rankUnit is the loss of an age by ranks.
type rankUnit struct {
	base
	gradient []float32
}

func (u *rankUnit) forward(g *graph, in []*value) *value {
	h, logits, out := u.net.head(u.layer), in[0], bufferOf(make([]float32, 1), 1)
	return u.apply(g, out, func() {
		h.loss = kernel.RankLoss(u.out[0], logits.buf.data, h.labels, h.Weight, h.samples, u.gradient)
		out.data[0] = float32(h.loss)
	}, logits)
}

func (u *rankUnit) backward(b *backward, in []*value, y, _ *value) {
	b.give(u.in[0], b.apply(u.name+".grad", bufferOf(u.gradient, u.net.cfg.Batch, u.out[0]), func() {}, in[0], y))
}

// tripletUnit is the triplet loss.
type tripletUnit struct {
	base
	loss *kernel.TripletLoss
}

func (u *tripletUnit) forward(g *graph, in []*value) *value {
	h, x, out := u.net.head(u.layer), in[0], bufferOf(make([]float32, 1), 1)
	return u.apply(g, out, func() {
		h.loss, _ = u.loss.Forward(x.buf.data, h.labels, h.Weight)
		out.data[0] = float32(h.loss)
	}, x)
}

func (u *tripletUnit) backward(b *backward, in []*value, y, _ *value) {
	out := b.net.buffer(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() { u.loss.Backward(out.data) }, in[0], y))
}
