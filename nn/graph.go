package nn

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// graph is one Gorgonia graph of a network, for training or for inference, and the machine that
// runs it.
//
// Each operator depends on the one made before it, besides its inputs, so the machine runs them
// in the order in which they are made, and what is alive when is known beforehand: places in the
// arena are used again as soon as nobody needs what they hold.
type graph struct {
	net     *Network
	expr    *gorgonia.ExprGraph
	machine gorgonia.VM
	train   bool
	params  map[*Param]*value
	last    *gorgonia.Node
	ops     int
	buffers []*buffer
	size    int // of the arena
}

// value is a node of the graph and the array that it stands for.
type value struct {
	node *gorgonia.Node
	buf  *buffer
}

// build makes the graph: the layers forward and, to train, the gradients backward. Gradients are
// nodes of ours too, not those that Gorgonia would derive: so a gradient is added to another as
// it is computed, a ReLU's is taken in place, and no copy is needed.
func (n *Network) build(train bool) (*graph, error) {
	g := &graph{net: n, expr: gorgonia.NewGraph(), params: map[*Param]*value{}, train: train}
	values := make([]*value, len(n.plan.layers))
	for i, l := range n.plan.layers {
		if l.kind.loss() && !train {
			continue // the logits are what inference is asked for
		}
		values[i] = n.units[i].forward(g, g.inputs(l, values))
	}
	if train {
		b := &backward{graph: g, grads: make([]*value, len(values)), holders: map[*buffer]int{}}
		for _, l := range slices.Backward(n.plan.layers) {
			b.layer(l, values)
		}
	}
	g.size = arrange(g.buffers)
	if len(n.arena) < g.size {
		n.Close() // the other graph, whose buffers lie in the old arena
		n.arena = newArena(g.size)
	}
	settle(g.buffers, n.arena)
	g.machine = gorgonia.NewTapeMachine(g.expr)
	return g, nil
}

func (g *graph) inputs(l *layer, values []*value) (in []*value) {
	for _, m := range l.in {
		in = append(in, values[m.index])
	}
	return in
}

func (g *graph) run() error {
	defer g.machine.Reset()
	return g.machine.RunAll()
}

// apply adds an operator that writes out, which may be the buffer of one of the inputs.
func (g *graph) apply(name string, out *buffer, run func(), in ...*value) *value {
	fresh := out.first < 0
	o := &op{name: name, id: opIDs.Add(1), out: out, run: run}
	if fresh {
		g.buffers = append(g.buffers, out)
		if l := out.layout; l != nil && l.Halo > 0 && out.data == nil {
			o.run = func() { l.ClearFrame(out.data); run() } // somebody else's numbers stand there
		}
	}
	nodes := make([]*gorgonia.Node, 0, len(in)+1)
	for _, v := range in {
		nodes = append(nodes, v.node)
		v.buf.touch(g.ops)
	}
	out.touch(g.ops)
	if g.last != nil {
		nodes = append(nodes, g.last)
	}
	for _, n := range nodes {
		o.in = append(o.in, n.Type())
	}
	node, err := gorgonia.ApplyOp(o, nodes...)
	if err != nil {
		panic(fmt.Sprintf("nn: %s: %v", name, err)) // the shapes are ours, so is the mistake
	}
	g.last = node
	g.ops++
	return &value{node, out}
}

// side adds a buffer that the next operator writes or keeps alive besides its own.
func (g *graph) side(b *buffer) {
	if b.first < 0 && b.data == nil {
		g.buffers = append(g.buffers, b)
	}
	b.touch(g.ops)
}

// param is the node of a parameter's values.
func (g *graph) param(p *Param) *value {
	if g.params[p] == nil {
		g.params[p] = g.leaf(p.Name, p.Data, p.Shape...)
	}
	return g.params[p]
}

// leaf is a node of values from outside.
func (g *graph) leaf(name string, data []float32, shape ...int) *value {
	b := bufferOf(data, shape...)
	v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	node := gorgonia.NewTensor(g.expr, tensor.Float32, len(shape), gorgonia.WithShape(shape...),
		gorgonia.WithName(name), gorgonia.WithValue(v))
	return &value{node, b}
}

// backward is the making of the gradients, from the last layer to the first.
type backward struct {
	*graph
	grads   []*value        // of each layer's output, as far as it is summed
	holders map[*buffer]int // how many layers wait for a gradient in this buffer
}

// layer adds the gradients of a layer's inputs and parameters.
func (b *backward) layer(l *layer, values []*value) {
	dy := b.grads[l.index]
	if dy == nil && !l.kind.loss() {
		return
	}
	in := b.inputs(l, values)
	b.net.units[l.index].backward(b, in, values[l.index], dy)
	if dy != nil {
		b.holders[dy.buf]--
	}
}

// mine reports whether nobody else waits for what the buffer holds, so that the layer whose gradient it is
// may overwrite it.
func (b *backward) mine(v *value) bool { return b.holders[v.buf] <= 1 }

// give makes v the gradient of a layer's output, or adds it to what there is. Nobody asks for that of a
// layer that does not learn.
func (b *backward) give(l *layer, v *value) {
	if !l.learns {
		return
	}
	old := b.grads[l.index]
	if old == nil {
		b.grads[l.index] = v
		b.holders[v.buf]++
		return
	}
	b.into(l, func(out *buffer, add bool) {
		kernel.Add(out.data, v.buf.data, out.data, false)
	}, v)
}

// into lets run write the gradient of a layer's output; where add is true it is to be added to
// what the buffer holds.
func (b *backward) into(l *layer, run func(out *buffer, add bool), in ...*value) {
	if !l.learns {
		return
	}
	old := b.grads[l.index]
	switch {
	case old == nil:
		out := b.net.buffer(l)
		b.grads[l.index] = b.apply(l.name+".grad", out, func() { run(out, false) }, in...)
	case b.mine(old):
		out := old.buf
		b.grads[l.index] = b.apply(l.name+".grad", out, func() { run(out, true) }, append(in, old)...)
		return // it was counted before
	default:
		b.holders[old.buf]--
		out := b.net.buffer(l)
		b.grads[l.index] = b.apply(l.name+".grad", out, func() {
			kernel.Copy(old.buf.data, out.data)
			run(out, true)
		}, append(in, old)...)
	}
	b.holders[b.grads[l.index].buf]++
}

// relu is dy as far as the ReLU that gave out y lets it pass.
func (b *backward) relu(y, dy *value) *value {
	out := dy.buf
	if !b.mine(dy) {
		out = &buffer{shape: dy.buf.shape, layout: dy.buf.layout, first: -1}
	}
	return b.apply("relu.grad", out, func() { kernel.ReLUBackward(y.buf.data, dy.buf.data, out.data) }, y, dy)
}

// buffer returns a new buffer of a layer's output, or of its gradient.
func (n *Network) buffer(l *layer) *buffer {
	if layout := n.layouts[l.index]; layout != nil {
		return mapBuffer(*layout)
	}
	return flatBuffer(append([]int{n.cfg.Batch}, l.out...)...)
}

// layoutsOf says how each layer's maps lie in memory; flat layers have none.
func layoutsOf(p *plan, batch int) []*kernel.Layout {
	ls := make([]*kernel.Layout, len(p.layers))
	for i, l := range p.layers {
		if len(l.out) != 3 {
			continue
		}
		make := kernel.NewLayout
		if l.kind == KindInput {
			make = kernel.InputLayout
		}
		layout := make(batch, l.out[0], l.out[1], l.out[2], l.halo)
		ls[i] = &layout
	}
	return ls
}
