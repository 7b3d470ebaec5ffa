package nn

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// unit is a layer with its kernels and the buffer of its output, which the training graph and the
// inference graph share; node puts it in one of them.
type unit interface {
	node(g *graph, in []*gorgonia.Node) *gorgonia.Node
}

// graph is one Gorgonia graph of a network and the machine that runs it.
type graph struct {
	net     *Network
	expr    *gorgonia.ExprGraph
	machine gorgonia.VM
	params  map[*Param]*gorgonia.Node
	train   bool
}

// build makes the graph, with loss and gradients when it is to train.
func (n *Network) build(train bool) (*graph, error) {
	g := &graph{net: n, expr: gorgonia.NewGraph(), params: map[*Param]*gorgonia.Node{}, train: train}
	nodes := make([]*gorgonia.Node, len(n.plan.layers))
	for i, l := range n.plan.layers {
		if l.kind == KindSoftmax && !train {
			break // the logits are what inference is asked for
		}
		var in []*gorgonia.Node
		for _, m := range l.in {
			in = append(in, nodes[m.index])
		}
		nodes[i] = n.units[i].node(g, in)
	}
	if train {
		var wrt gorgonia.Nodes
		for _, p := range n.params {
			wrt = append(wrt, g.param(p))
		}
		if _, err := gorgonia.Grad(nodes[len(nodes)-1], wrt...); err != nil {
			return nil, fmt.Errorf("%s: differentiating: %w", n.cfg.Arch, err)
		}
	}
	g.machine = gorgonia.NewTapeMachine(g.expr)
	return g, nil
}

func (g *graph) run() error {
	defer g.machine.Reset()
	return g.machine.RunAll()
}

// leaf is a node that holds values from outside.
func (g *graph) leaf(name string, v *tensor.Dense) *gorgonia.Node {
	return gorgonia.NewTensor(g.expr, v.Dtype(), v.Dims(), gorgonia.WithShape(v.Shape()...),
		gorgonia.WithName(name), gorgonia.WithValue(v))
}

func (g *graph) param(p *Param) *gorgonia.Node {
	if g.params[p] == nil {
		g.params[p] = g.leaf(p.Name, tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(p.Data)))
	}
	return g.params[p]
}

// newUnit gives a layer its kernels.
func (n *Network) newUnit(l *layer, layouts []kernel.Layout, params []*Param) unit {
	switch l.kind {
	case KindInput:
		return &inputUnit{layout: layouts[l.index], batch: &n.batch,
			x:   tensor.New(tensor.WithShape(n.cfg.Batch, l.out[0], l.out[1], l.out[2]), tensor.WithBacking(n.x)),
			out: newBuffer(layouts[l.index].Shape()...)}
	case KindConv:
		return &convUnit{batch: &n.batch, first: l.in[0].kind == KindInput,
			conv:   kernel.NewConv(l.conv, layouts[l.in[0].index], layouts[l.index]),
			weight: params[0], bias: params[1], out: newBuffer(layouts[l.index].Shape()...)}
	case KindAdd:
		return &addUnit{relu: l.relu, out: newBuffer(layouts[l.index].Shape()...)}
	case KindAvgPool:
		return &poolUnit{batch: &n.batch, out: newBuffer(layouts[l.index].Shape()...),
			pool: kernel.NewAvgPool(layouts[l.in[0].index], layouts[l.index], l.pool[0], l.pool[1])}
	case KindFlatten:
		return &flattenUnit{batch: &n.batch, layout: layouts[l.in[0].index],
			out: bufferOf(n.embedding, n.cfg.Batch, l.out[0])}
	case KindLinear:
		return &linearUnit{batch: &n.batch, linear: kernel.Linear{N: n.cfg.Batch, In: l.in[0].out[0], Out: l.out[0]},
			weight: params[0], bias: params[1], out: bufferOf(n.logits, n.cfg.Batch, l.out[0])}
	case KindSoftmax:
		return &softmaxUnit{classes: l.out[0], samples: n.samples, loss: &n.loss,
			labels:        tensor.New(tensor.WithShape(n.cfg.Batch), tensor.WithBacking(n.labels)),
			probabilities: newBuffer(n.cfg.Batch, l.out[0]), out: newBuffer()}
	}
	panic("nn: layer " + l.name + " of unknown kind " + string(l.kind))
}

// layouts says how each layer's maps lie in memory; flat layers have none.
func (n *Network) layouts() []kernel.Layout {
	ls := make([]kernel.Layout, len(n.plan.layers))
	for i, l := range n.plan.layers {
		if len(l.out) != 3 {
			continue
		}
		make := kernel.NewLayout
		if l.kind == KindInput {
			make = kernel.InputLayout
		}
		ls[i] = make(n.cfg.Batch, l.out[0], l.out[1], l.out[2], l.halo)
	}
	return ls
}
