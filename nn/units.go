package nn

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// inputUnit brings a batch from N x C x H x W in the kernels' layout.
type inputUnit struct {
	layout kernel.Layout
	batch  *int
	x      *tensor.Dense
	out    *buffer
}

func (u *inputUnit) node(g *graph, _ []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{name: "pack", out: u.out, run: func(in []gorgonia.Value, out []float32) {
		u.layout.Pack(*u.batch, floats(in[0]), out)
	}}, g.leaf("x", u.x))
}

// convUnit is a convolution with bias and, where its shape says so, ReLU.
type convUnit struct {
	conv         *kernel.Conv
	batch        *int
	first        bool // its input is the image, which needs no gradient
	weight, bias *Param
	out          *buffer
}

func (u *convUnit) node(g *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "conv", out: u.out, wrt: []bool{!u.first, true, true}, diff: u.diff,
		run: func(in []gorgonia.Value, out []float32) {
			u.conv.Forward(*u.batch, floats(in[0]), floats(in[1]), floats(in[2]), out)
		},
	}, in[0], g.param(u.weight), g.param(u.bias))
}

func (u *convUnit) diff(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
	if u.conv.ReLU {
		dy = reluBackward(y, dy)
	}
	dw := apply(&op{
		name: "conv.dw", out: bufferOf(u.weight.Grad, u.weight.Shape...),
		run: func(in []gorgonia.Value, out []float32) {
			u.conv.BackwardWeights(floats(in[0]), floats(in[1]), out, u.bias.Grad)
		},
	}, in[0], dy)
	grads := gorgonia.Nodes{nil, dw, second("conv.db", u.bias, dw)}
	if !u.first {
		grads[0] = apply(&op{
			name: "conv.dx", out: newBuffer(u.conv.In.Shape()...),
			run: func(in []gorgonia.Value, out []float32) {
				u.conv.BackwardData(floats(in[0]), floats(in[1]), out)
			},
		}, dy, in[1])
	}
	return grads
}

// second gives out what the operator behind node wrote besides its own result: an operator of
// Gorgonia has but one.
func second(name string, p *Param, node *gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: name, out: bufferOf(p.Grad, p.Shape...),
		run: func([]gorgonia.Value, []float32) {},
	}, node)
}

func reluBackward(y, dy *gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "relu.dx", out: newBuffer(y.Shape()...),
		run: func(in []gorgonia.Value, out []float32) {
			kernel.ReLUBackward(floats(in[0]), floats(in[1]), out)
		},
	}, y, dy)
}

// addUnit joins a block's main path and its shortcut.
type addUnit struct {
	relu bool
	out  *buffer
}

func (u *addUnit) node(_ *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "add", out: u.out, wrt: []bool{true, true},
		run: func(in []gorgonia.Value, out []float32) {
			if u.relu {
				kernel.AddReLU(floats(in[0]), floats(in[1]), out)
			} else {
				kernel.Add(floats(in[0]), floats(in[1]), out)
			}
		},
		diff: func(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
			if u.relu {
				dy = reluBackward(y, dy)
			}
			// What shares its input with the main path gets two gradients. Gorgonia adds them in place
			// of the first when nothing else reads that, else into new memory at each step. The
			// main path reads dy, so the shortcut gets a copy that is its own.
			return gorgonia.Nodes{dy, apply(&op{
				name: "add.shortcut", out: newBuffer(y.Shape()...),
				run: func(in []gorgonia.Value, out []float32) { kernel.Copy(floats(in[0]), out) },
			}, dy)}
		},
	}, in...)
}

// poolUnit is average pooling.
type poolUnit struct {
	pool  *kernel.AvgPool
	batch *int
	out   *buffer
}

func (u *poolUnit) node(_ *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "avgpool", out: u.out, wrt: []bool{true},
		run: func(in []gorgonia.Value, out []float32) { u.pool.Forward(*u.batch, floats(in[0]), out) },
		diff: func(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
			return gorgonia.Nodes{apply(&op{
				name: "avgpool.dx", out: newBuffer(u.pool.In.Shape()...),
				run: func(in []gorgonia.Value, out []float32) { u.pool.Backward(floats(in[0]), out) },
			}, dy)}
		},
	}, in...)
}

// flattenUnit brings maps in the order channel, row, column, one row of features a sample.
type flattenUnit struct {
	layout kernel.Layout
	batch  *int
	out    *buffer
}

func (u *flattenUnit) node(_ *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "flatten", out: u.out, wrt: []bool{true},
		run: func(in []gorgonia.Value, out []float32) { u.layout.Unpack(*u.batch, floats(in[0]), out) },
		diff: func(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
			return gorgonia.Nodes{apply(&op{
				name: "flatten.dx", out: newBuffer(u.layout.Shape()...),
				run: func(in []gorgonia.Value, out []float32) { u.layout.Pack(u.layout.N, floats(in[0]), out) },
			}, dy)}
		},
	}, in...)
}

// linearUnit is a fully connected layer.
type linearUnit struct {
	linear       kernel.Linear
	batch        *int
	weight, bias *Param
	out          *buffer
}

func (u *linearUnit) node(g *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "linear", out: u.out, wrt: []bool{true, true, true}, diff: u.diff,
		run: func(in []gorgonia.Value, out []float32) {
			u.linear.Forward(*u.batch, floats(in[0]), floats(in[1]), floats(in[2]), out)
		},
	}, in[0], g.param(u.weight), g.param(u.bias))
}

func (u *linearUnit) diff(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
	dw := apply(&op{
		name: "linear.dw", out: bufferOf(u.weight.Grad, u.weight.Shape...),
		run: func(in []gorgonia.Value, out []float32) {
			u.linear.BackwardWeights(floats(in[0]), floats(in[1]), out, u.bias.Grad)
		},
	}, in[0], dy)
	dx := apply(&op{
		name: "linear.dx", out: newBuffer(in[0].Shape()...),
		run: func(in []gorgonia.Value, out []float32) {
			u.linear.BackwardData(floats(in[0]), floats(in[1]), out)
		},
	}, dy, in[1])
	return gorgonia.Nodes{dx, dw, second("linear.db", u.bias, dw)}
}

// softmaxUnit is the softmax and the mean cross-entropy with the labels.
type softmaxUnit struct {
	classes       int
	labels        *tensor.Dense
	samples       []float64 // the loss of each sample
	loss          *float64  // their mean, before it is rounded for the graph
	probabilities *buffer
	out           *buffer
}

func (u *softmaxUnit) node(g *graph, in []*gorgonia.Node) *gorgonia.Node {
	return apply(&op{
		name: "softmax", out: u.out, wrt: []bool{true, false},
		run: func(in []gorgonia.Value, out []float32) {
			_, p := u.probabilities.get()
			*u.loss = kernel.SoftmaxCrossEntropy(u.classes, floats(in[0]), in[1].Data().([]int32), p, u.samples)
			out[0] = float32(*u.loss)
		},
		diff: func(in gorgonia.Nodes, y, dy *gorgonia.Node) gorgonia.Nodes {
			return gorgonia.Nodes{apply(&op{
				name: "softmax.dx", out: newBuffer(in[0].Shape()...),
				run: func(in []gorgonia.Value, out []float32) {
					_, p := u.probabilities.get()
					scale := in[2].Data().(float32)
					kernel.SoftmaxCrossEntropyBackward(u.classes, p, in[1].Data().([]int32), scale, out)
				},
			}, y, in[1], dy), nil}
		},
	}, in[0], g.leaf("labels", u.labels))
}
