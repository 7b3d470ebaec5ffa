package nn

import (
	"github.com/vf2prep/vf2prep/nn/kernel"
)

// unit is a layer with its kernels, which the graphs of training and inference share.
type unit interface {
	// forward adds the layer to a graph and returns its output.
	forward(g *graph, in []*value) *value
	// backward adds the gradients of parameters and inputs; dy is that of the output y, nil for the
	// loss.
	backward(b *backward, in []*value, y, dy *value)
}

// base is what all units have.
type base struct {
	*layer
	net    *Network
	params []*Param
}

// trained reports whether some parameter of the layer itself is trained.
func (u *base) trained() bool {
	for _, p := range u.params {
		if !p.Frozen && p.Grad != nil {
			return true
		}
	}
	return false
}

// layoutOf is how the maps of a layer lie in memory.
func (u *base) layoutOf(l *layer) kernel.Layout { return *u.net.layouts[l.index] }

// apply adds an operator of this layer.
func (u *base) apply(g *graph, out *buffer, run func(), in ...*value) *value {
	return g.apply(u.name, out, run, in...)
}

// newUnit gives a layer its kernels.
func (n *Network) newUnit(l *layer, params []*Param) unit {
	u := base{layer: l, net: n, params: params}
	switch l.kind {
	case KindInput:
		return &inputUnit{u}
	case KindConv:
		return &convUnit{u, kernel.NewConv(l.conv, u.layoutOf(l.in[0]), u.layoutOf(l), &n.scratch)}
	case KindNorm:
		return &normUnit{u, kernel.NewNorm(u.layoutOf(l.in[0]), u.layoutOf(l), l.relu)}
	case KindAdd:
		return &addUnit{u}
	case KindAvgPool:
		return &avgPoolUnit{u, kernel.NewAvgPool(u.layoutOf(l.in[0]), u.layoutOf(l), l.pool.k, l.pool.stride)}
	case KindMaxPool:
		return &maxPoolUnit{u, kernel.NewMaxPool(u.layoutOf(l.in[0]), u.layoutOf(l), l.pool.k, l.pool.stride, l.pool.pad)}
	case KindMean:
		return &meanUnit{u}
	case KindGate:
		return &gateUnit{u, kernel.NewGate(u.layoutOf(l.in[0]), u.layoutOf(l))}
	case KindFlatten:
		return &flattenUnit{u}
	case KindLinear:
		return &linearUnit{u, kernel.Linear{N: n.cfg.Batch, In: l.in[0].out[0], Out: l.out[0]}}
	case KindDropout:
		return &dropoutUnit{base: u}
	case KindSoftmax:
		return &softmaxUnit{base: u, probabilities: make([]float32, n.cfg.Batch*l.out[0])}
	case KindRank:
		return &rankUnit{base: u, gradient: make([]float32, n.cfg.Batch*l.out[0])}
	case KindTriplet:
		alpha, mining := n.cfg.Alpha, n.cfg.Mining
		if alpha == 0 {
			alpha = 0.2
		}
		if mining == "" {
			mining = kernel.MineSemiHard
		}
		return &tripletUnit{u, kernel.NewTripletLoss(n.cfg.Batch, l.out[0], alpha, mining)}
	}
	panic("nn: layer " + l.name + " of unknown kind " + string(l.kind))
}

// inputUnit brings a batch from N x C x H x W in the kernels' layout.
type inputUnit struct{ base }

func (u *inputUnit) forward(g *graph, _ []*value) *value {
	n, layout := u.net, u.layoutOf(u.layer)
	x := g.leaf("x", n.x, n.cfg.Batch, u.out[0], u.out[1], u.out[2])
	out := n.buffer(u.layer)
	return u.apply(g, out, func() { layout.Pack(n.batch, n.x, out.data) }, x)
}

func (u *inputUnit) backward(*backward, []*value, *value, *value) {}

// convUnit is a convolution, with bias and ReLU where its layer says so.
type convUnit struct {
	base
	conv *kernel.Conv
}

// bias returns the values or the gradient of the bias, nil where there is none.
func (u *base) bias(of func(*Param) []float32) []float32 {
	if len(u.params) < 2 {
		return nil
	}
	return of(u.params[1])
}

func data(p *Param) []float32 { return p.Data }
func grad(p *Param) []float32 { return p.Grad }

func (u *convUnit) forward(g *graph, in []*value) *value {
	x, w, out := in[0], g.param(u.params[0]), u.net.buffer(u.layer)
	return u.apply(g, out, func() {
		u.conv.Forward(u.net.batch, x.buf.data, w.buf.data, u.bias(data), out.data)
	}, x, w)
}

func (u *convUnit) backward(b *backward, in []*value, y, dy *value) {
	if u.relu {
		dy = b.relu(y, dy)
	}
	x, w := in[0], b.param(u.params[0])
	weight := u.params[0]
	if u.trained() {
		b.apply(u.name+".dw", bufferOf(weight.Grad, weight.Shape...), func() {
			u.conv.BackwardWeights(x.buf.data, dy.buf.data, weight.Grad, u.bias(grad))
		}, x, dy)
	}
	b.into(u.in[0], func(out *buffer, add bool) {
		u.conv.BackwardData(dy.buf.data, w.buf.data, out.data, add)
	}, dy, w)
}

// normUnit is batch normalisation, with the addition of a shortcut and ReLU where its layer says so.
type normUnit struct {
	base
	norm *kernel.Norm
}

func (u *normUnit) stats() kernel.Stats {
	return kernel.Stats{Gamma: u.params[0].Data, Beta: u.params[1].Data, Mean: u.params[2].Data, Variance: u.params[3].Data}
}

func (u *normUnit) forward(g *graph, in []*value) *value {
	n, x, out := u.net, in[0], u.net.buffer(u.layer)
	run := func() {
		var shortcut []float32
		if len(in) > 1 {
			shortcut = in[1].buf.data
		}
		if g.train && u.learns {
			u.norm.Train(n.valid, x.buf.data, shortcut, u.stats(), out.data)
			if !n.replica {
				u.norm.Move(u.stats())
			}
		} else {
			u.norm.Infer(n.batch, x.buf.data, shortcut, u.stats(), out.data)
		}
	}
	return u.apply(g, out, run, in...)
}

func (u *normUnit) backward(b *backward, in []*value, y, dy *value) {
	x, gamma, beta := in[0], u.params[0], u.params[1]
	reads := []*value{x, dy}
	var shared *buffer // the gradient of the sum, which is the shortcut's
	if len(in) > 1 {
		shared = dy.buf
		if !b.mine(dy) {
			shared = b.net.buffer(u.layer)
		}
		b.side(shared)
		if u.relu {
			reads = append(reads, y)
		}
	}
	out := b.net.buffer(u.in[0])
	inPlace := shared == nil && b.mine(dy) && *out.layout == *dy.buf.layout
	if inPlace {
		out = dy.buf
	}
	dx := b.apply(u.name+".grad", out, func() {
		var g []float32
		if shared != nil {
			g = shared.data
		}
		u.norm.Backward(b.net.valid, x.buf.data, y.buf.data, dy.buf.data, gamma.Data, g, out.data, gamma.Grad, beta.Grad)
	}, reads...)
	b.give(u.in[0], dx)
	if shared != nil {
		b.give(u.in[1], &value{dx.node, shared})
	}
}

// addUnit joins a block's main path and its shortcut.
type addUnit struct{ base }

func (u *addUnit) forward(g *graph, in []*value) *value {
	out := u.net.buffer(u.layer)
	return u.apply(g, out, func() { kernel.Add(in[0].buf.data, in[1].buf.data, out.data, u.relu) }, in...)
}

func (u *addUnit) backward(b *backward, in []*value, y, dy *value) {
	if u.relu {
		dy = b.relu(y, dy)
	}
	for _, l := range u.in {
		b.give(l, dy)
	}
}

// linearUnit is a fully connected layer, with ReLU where its layer says so.
type linearUnit struct {
	base
	linear kernel.Linear
}

func (u *linearUnit) forward(g *graph, in []*value) *value {
	n, x, w, out := u.net, in[0], g.param(u.params[0]), u.net.outputOf(u.layer)
	return u.apply(g, out, func() {
		u.linear.Forward(n.batch, x.buf.data, w.buf.data, u.bias(data), out.data)
		if u.relu {
			kernel.ReLU(out.data)
		}
	}, x, w)
}

func (u *linearUnit) backward(b *backward, in []*value, y, dy *value) {
	if u.relu {
		dy = b.relu(y, dy)
	}
	x, w, weight := in[0], b.param(u.params[0]), u.params[0]
	if u.trained() {
		b.apply(u.name+".dw", bufferOf(weight.Grad, weight.Shape...), func() {
			u.linear.BackwardWeights(x.buf.data, dy.buf.data, weight.Grad, u.bias(grad))
		}, x, dy)
	}
	if !u.in[0].learns {
		return
	}
	out := b.net.buffer(u.in[0])
	b.give(u.in[0], b.apply(u.name+".grad", out, func() {
		u.linear.BackwardData(dy.buf.data, w.buf.data, out.data)
	}, dy, w))
}
