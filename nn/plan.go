package nn

import (
	"fmt"
	"path"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// plan is a network before anything is allocated: its layers, each after its inputs. The graph,
// the summary and the drawing are made from it.
type plan struct {
	layers   []*layer
	features *layer   // gives the embedding
	heads    []*layer // the losses
	errs     []error
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
	pool   window           // AvgPool, MaxPool
	relu   bool             // Conv, Norm, Add, Linear
	rate   float64          // Dropout
	head   Head             // losses
	learns bool             // some parameter before it, or its own, is trained
	params []paramShape
}

// window is what a pooling layer takes together.
type window struct{ k, stride, pad int }

type paramShape struct {
	name  string
	shape []int
	init  initializer
}

// Kind is what a layer does.
type Kind string

// The kinds of layers.
const (
	KindInput   Kind = "input"
	KindConv    Kind = "conv"
	KindNorm    Kind = "batchnorm"
	KindAdd     Kind = "add"
	KindAvgPool Kind = "avgpool"
	KindMaxPool Kind = "maxpool"
	KindMean    Kind = "mean" // global average pooling
	KindGate    Kind = "gate" // squeeze-and-excitation's, with the shortcut's addition and ReLU
	KindFlatten Kind = "flatten"
	KindLinear  Kind = "linear"
	KindDropout Kind = "dropout"
	KindSoftmax Kind = "softmax"
	KindRank    Kind = "rank"
	KindTriplet Kind = "triplet"
)

// loss reports whether the layer is what training makes smaller; inference ends before it.
func (k Kind) loss() bool { return k == KindSoftmax || k == KindRank || k == KindTriplet }

func (p *plan) add(l *layer) *layer {
	l.index = len(p.layers)
	p.layers = append(p.layers, l)
	return l
}

func (p *plan) input(c, h, w int) *layer {
	return p.add(&layer{name: "input", kind: KindInput, out: []int{c, h, w}})
}

// conv adds a k x k convolution with bias, TensorFlow's "same" padding and Keras's first weights.
func (p *plan) conv(name string, in *layer, channels, k, stride int, relu bool) *layer {
	s := kernel.ConvShape{Pad: kernel.Same(in.out[1], in.out[2], k, k, stride), KH: k, KW: k, Stride: stride, ReLU: relu}
	l := p.convolution(name, in, channels, s)
	l.params = []paramShape{
		{name + ".weight", []int{channels, in.out[0], k, k}, glorot}, {name + ".bias", []int{channels}, zero},
	}
	return l
}

// conv2d adds a k x k convolution as torch.nn.Conv2d has it, padded by the same on each side.
func (p *plan) conv2d(name string, in *layer, channels, k, stride, pad int, bias, relu bool) *layer {
	s := kernel.ConvShape{Pad: kernel.Uniform(pad), KH: k, KW: k, Stride: stride, ReLU: relu}
	l := p.convolution(name, in, channels, s)
	l.params = []paramShape{{name + ".weight", []int{channels, in.out[0], k, k}, he}}
	if bias {
		l.params = append(l.params, paramShape{name + ".bias", []int{channels}, zero})
	}
	return l
}

func (p *plan) convolution(name string, in *layer, channels int, s kernel.ConvShape) *layer {
	s.InC, s.OutC, s.H, s.W = in.out[0], channels, in.out[1], in.out[2]
	if s.OutH() < 1 || s.OutW() < 1 {
		p.tooSmall(name, in, s.KH)
		s.H, s.W = max(s.H, s.KH), max(s.W, s.KW)
	}
	l := p.add(&layer{name: name, kind: KindConv, in: []*layer{in}, conv: s, relu: s.ReLU, out: []int{channels, s.OutH(), s.OutW()}})
	haloIn, haloOut := s.Halos()
	in.halo, l.halo = max(in.halo, haloIn), max(l.halo, haloOut)
	return l
}

// tooSmall notes that a map is smaller than a window of k x k.
func (p *plan) tooSmall(name string, in *layer, k int) {
	p.errs = append(p.errs, fmt.Errorf("%s: the map before the %dx%d pooling has %dx%d pixels (height x width); a larger input is needed",
		name, k, k, in.out[1], in.out[2]))
}

// norm adds batch normalisation, and after it the addition of a shortcut, which may be nil, and ReLU.
func (p *plan) norm(name string, in, shortcut *layer, relu bool) *layer {
	c := []int{in.out[0]}
	l := &layer{name: name, kind: KindNorm, in: []*layer{in}, out: in.out, relu: relu, params: []paramShape{
		{name + ".weight", c, one}, {name + ".bias", c, zero}, {name + ".running_mean", c, runningZero}, {name + ".running_var", c, runningOne},
	}}
	if shortcut != nil {
		l.in = append(l.in, shortcut)
	}
	return p.add(l)
}

// gate adds squeeze-and-excitation's scaling of x by the sigmoid of z, then the shortcut and ReLU.
func (p *plan) gate(name string, x, z, shortcut *layer) *layer {
	return p.add(&layer{name: name, kind: KindGate, in: []*layer{x, z, shortcut}, out: x.out, relu: true})
}

// mean adds global average pooling.
func (p *plan) mean(name string, in *layer) *layer {
	return p.add(&layer{name: name, kind: KindMean, in: []*layer{in}, out: []int{in.out[0]}})
}

func (p *plan) maxPool(name string, in *layer, k, stride, pad int) *layer {
	c, h, w := in.out[0], in.out[1], in.out[2]
	if h+2*pad < k || w+2*pad < k {
		p.tooSmall(name, in, k)
		h, w = max(h, k), max(w, k)
	}
	return p.add(&layer{
		name: name, kind: KindMaxPool, in: []*layer{in}, pool: window{k, stride, pad},
		out: []int{c, (h+2*pad-k)/stride + 1, (w+2*pad-k)/stride + 1},
	})
}

// dropout adds the loss of so large a share of the features while training.
func (p *plan) dropout(name string, in *layer, rate float64) *layer {
	return p.add(&layer{name: name, kind: KindDropout, in: []*layer{in}, out: in.out, rate: rate})
}

func (p *plan) sum(name string, main, shortcut *layer, relu bool) *layer {
	return p.add(&layer{name: name, kind: KindAdd, in: []*layer{main, shortcut}, out: main.out, relu: relu})
}

func (p *plan) avgPool(name string, in *layer, k, stride int) *layer {
	c, h, w := in.out[0], in.out[1], in.out[2]
	if h < k || w < k {
		p.tooSmall(name, in, k)
		h, w = max(h, k), max(w, k)
	}
	return p.add(&layer{
		name: name, kind: KindAvgPool, in: []*layer{in}, pool: window{k: k, stride: stride},
		out: []int{c, (h-k)/stride + 1, (w-k)/stride + 1},
	})
}

func (p *plan) flatten(name string, in *layer) *layer {
	return p.add(&layer{name: name, kind: KindFlatten, in: []*layer{in}, out: []int{in.out[0] * in.out[1] * in.out[2]}})
}

func (p *plan) linear(name string, in *layer, out int, init initializer) *layer {
	return p.add(&layer{
		name: name, kind: KindLinear, in: []*layer{in}, out: []int{out},
		params: []paramShape{{name + ".weight", []int{out, in.out[0]}, init}, {name + ".bias", []int{out}, zero}},
	})
}

// learn adds what a configuration wants of a network's features: an embedding, and the heads with
// their losses. The layer that tells identities apart has the network's own name for it.
func (p *plan) learn(x *layer, identity string, init initializer, cfg Config) {
	if cfg.Embedding > 0 {
		x = p.linear("embedding", x, cfg.Embedding, fanIn)
		if !cfg.EmbeddingBias {
			x.params = x.params[:1]
		}
	}
	p.features = x
	for p.features.kind == KindDropout {
		p.features = p.features.in[0]
	}
	for _, h := range cfg.heads() {
		loss := &layer{kind: KindSoftmax, head: h, in: []*layer{x}, out: x.out}
		switch h.Kind {
		case Triplet:
			loss.kind, loss.in, loss.out = KindTriplet, []*layer{p.features}, p.features.out
		case AgeRank:
			loss.kind = KindRank
		}
		loss.name = string(loss.kind)
		if len(cfg.heads()) > 1 {
			loss.name = string(h.Kind) + "." + loss.name
		}
		if n := h.Kind.outputs(cfg.Classes); n > 0 {
			name := h.Kind.layerName()
			if h.Kind == Identity {
				name = identity
			}
			loss.in = []*layer{p.linear(name, x, n, init)}
			loss.out = loss.in[0].out
		}
		p.heads = append(p.heads, p.add(loss))
	}
}

// freeze notes which layers learn, given the patterns of parameters that do not.
func (p *plan) freeze(patterns []string) {
	for _, l := range p.layers {
		for _, s := range l.params {
			l.learns = l.learns || !s.init.running() && !matches(patterns, s.name)
		}
		for _, in := range l.in {
			l.learns = l.learns || in.learns
		}
	}
}

func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// settle gives the shortcut and the sum of an addition, and the other side where nothing else is
// done to it, the same frame: they are added number by number.
func (p *plan) settle() {
	for changed := true; changed; {
		changed = false
		for _, l := range p.layers {
			var same []*layer
			switch {
			case l.kind == KindAdd:
				same = l.in
			case l.kind == KindNorm && len(l.in) > 1:
				same = l.in[1:]
			case l.kind == KindGate:
				same = l.in[2:]
			default:
				continue
			}
			same = append([]*layer{l}, same...)
			h := 0
			for _, m := range same {
				h = max(h, m.halo)
			}
			for _, m := range same {
				if m.halo != h {
					m.halo, changed = h, true
				}
			}
		}
	}
}

// paramCount counts the layer's parameters.
func (l *layer) paramCount() (n int64) {
	for _, p := range l.params {
		if p.init.running() {
			continue
		}
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
