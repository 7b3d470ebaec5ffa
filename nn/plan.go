package nn

import (
	"fmt"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// plan is a network before anything is allocated: its layers, each after its inputs. The graph,
// the summary and the drawing are made from it.
type plan struct {
	layers []*layer
	errs   []error
}

// layer is one step of a plan. Only the fields of its kind are set.
type layer struct {
	name   string
	kind   Kind
	in     []*layer
	out    []int // one sample: C, H, W or features
	index  int
	halo   int              // the frame its output needs
	conv   kernel.ConvShape // Conv
	pool   [2]int           // AvgPool: k, stride
	relu   bool             // Conv, Add
	params []paramShape
}

type paramShape struct {
	name  string
	shape []int
}

// Kind is what a layer does.
type Kind string

// The kinds of layers.
const (
	KindInput   Kind = "input"
	KindConv    Kind = "conv"
	KindAdd     Kind = "add"
	KindAvgPool Kind = "avgpool"
	KindFlatten Kind = "flatten"
	KindLinear  Kind = "linear"
	KindSoftmax Kind = "softmax"
)

func (p *plan) add(l *layer) *layer {
	l.index = len(p.layers)
	p.layers = append(p.layers, l)
	return l
}

func (p *plan) input(c, h, w int) *layer {
	return p.add(&layer{name: "input", kind: KindInput, out: []int{c, h, w}})
}

// conv adds a k x k convolution with TensorFlow's "same" padding.
func (p *plan) conv(name string, in *layer, channels, k, stride int, relu bool) *layer {
	c, h, w := in.out[0], in.out[1], in.out[2]
	s := kernel.ConvShape{
		InC: c, OutC: channels, H: h, W: w, KH: k, KW: k, Stride: stride,
		Pad: kernel.Same(h, w, k, k, stride), ReLU: relu,
	}
	l := p.add(&layer{
		name: name, kind: KindConv, in: []*layer{in}, conv: s, relu: relu,
		out:    []int{channels, s.OutH(), s.OutW()},
		params: []paramShape{{name + ".weight", []int{channels, c, k, k}}, {name + ".bias", []int{channels}}},
	})
	haloIn, haloOut := s.Halos()
	in.halo, l.halo = max(in.halo, haloIn), max(l.halo, haloOut)
	return l
}

func (p *plan) sum(name string, main, shortcut *layer, relu bool) *layer {
	return p.add(&layer{name: name, kind: KindAdd, in: []*layer{main, shortcut}, out: main.out, relu: relu})
}

func (p *plan) avgPool(name string, in *layer, k, stride int) *layer {
	c, h, w := in.out[0], in.out[1], in.out[2]
	if h < k || w < k {
		p.errs = append(p.errs, fmt.Errorf("%s: the map before the %dx%d pooling has %dx%d pixels (height x width); a larger input is needed", name, k, k, h, w))
		h, w = max(h, k), max(w, k)
	}
	return p.add(&layer{
		name: name, kind: KindAvgPool, in: []*layer{in}, pool: [2]int{k, stride},
		out: []int{c, (h-k)/stride + 1, (w-k)/stride + 1},
	})
}

func (p *plan) flatten(name string, in *layer) *layer {
	return p.add(&layer{name: name, kind: KindFlatten, in: []*layer{in}, out: []int{in.out[0] * in.out[1] * in.out[2]}})
}

func (p *plan) linear(name string, in *layer, out int) *layer {
	return p.add(&layer{
		name: name, kind: KindLinear, in: []*layer{in}, out: []int{out},
		params: []paramShape{{name + ".weight", []int{out, in.out[0]}}, {name + ".bias", []int{out}}},
	})
}

func (p *plan) softmax(in *layer) *layer {
	return p.add(&layer{name: "softmax", kind: KindSoftmax, in: []*layer{in}, out: in.out})
}

// settle gives both sides of an addition, and its result, the same frame: they are added number
// by number.
func (p *plan) settle() {
	for changed := true; changed; {
		changed = false
		for _, l := range p.layers {
			if l.kind != KindAdd {
				continue
			}
			h := max(l.halo, l.in[0].halo, l.in[1].halo)
			for _, m := range []*layer{l, l.in[0], l.in[1]} {
				if m.halo != h {
					m.halo, changed = h, true
				}
			}
		}
	}
}

// params counts the layer's parameters.
func (l *layer) paramCount() (n int64) {
	for _, p := range l.params {
		size := int64(1)
		for _, s := range p.shape {
			size *= int64(s)
		}
		n += size
	}
	return n
}

// flops counts two for each multiplication and addition of convolutions and fully connected
// layers, windows over the edge counted whole; everything else counts nothing.
func (l *layer) flops() int64 {
	switch l.kind {
	case KindConv:
		return 2 * l.conv.MACs()
	case KindLinear:
		return 2 * int64(l.in[0].out[0]) * int64(l.out[0])
	}
	return 0
}
