package nn

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"

	"github.com/vf2prep/vf2prep/nn/kernel"
)

// Network is a network with its weights.
type Network struct {
	cfg     Config
	plan    *plan
	params  []*Param // what an optimiser moves
	saved   []*Param // these and running statistics, in the order of the layers
	layouts []*kernel.Layout
	units   []unit
	scratch kernel.Scratch

	training, inference *graph    // built when first used
	arena               []float32 // which they use in turn

	// What the graphs read and write.
	batch             int // samples that count in an inference
	valid             int // samples of a step up to the last with a label
	step              int64
	x                 []float32
	labels            []int32
	loss              float64
	samples           []float64
	embedding, logits []float32
}

// Output is what a step or an inference gives. The slices are valid until the next call.
type Output struct {
	Loss      float64   // mean over the samples with a label; only after Step
	Samples   []float64 // loss of each sample, 0 without label; only after Step
	Logits    []float32 // [N, Classes]
	Embedding []float32 // [N, EmbeddingWidth]
}

// New builds a network with weights drawn from the seed. An unknown network, or an input too
// small for it, is an error before anything is built.
func New(cfg Config) (*Network, error) {
	p, err := cfg.plan()
	if err != nil {
		return nil, err
	}
	return newNetwork(cfg, p), nil
}

func newNetwork(cfg Config, p *plan) *Network {
	n := &Network{cfg: cfg, plan: p, batch: cfg.Batch, layouts: layoutsOf(p, cfg.Batch)}
	last := p.last()
	n.x = make([]float32, cfg.Batch*cfg.Channels*cfg.Height*cfg.Width)
	n.labels = make([]int32, cfg.Batch)
	n.samples = make([]float64, cfg.Batch)
	n.embedding = make([]float32, cfg.Batch*last.in[0].out[0])
	n.logits = make([]float32, cfg.Batch*cfg.Classes)
	for _, l := range p.layers {
		var own []*Param
		for _, s := range l.params {
			param := newParam(s)
			param.init(s.init, cfg.Seed)
			own = append(own, param)
			if !s.init.running() {
				n.params = append(n.params, param)
			}
		}
		n.saved = append(n.saved, own...)
		n.units = append(n.units, n.newUnit(l, own))
	}
	return n
}

// last is the layer that gives the logits.
func (p *plan) last() (last *layer) {
	for _, l := range p.layers {
		if l.kind == KindLinear {
			last = l
		}
	}
	return last
}

// outputOf returns the buffer of a flat layer's output: that of logits or embedding where it is one
// of these.
func (n *Network) outputOf(l *layer) *buffer {
	last := n.plan.last()
	features := last.in[0]
	for features.kind == KindDropout {
		features = features.in[0]
	}
	switch l {
	case last:
		return bufferOf(n.logits, n.cfg.Batch, l.out[0])
	case features:
		return bufferOf(n.embedding, n.cfg.Batch, l.out[0])
	}
	return n.buffer(l)
}

// Config returns what the network was built from.
func (n *Network) Config() Config { return n.cfg }

// EmbeddingWidth is how many numbers describe a face: the features before the last layer.
func (n *Network) EmbeddingWidth() int { return len(n.embedding) / n.cfg.Batch }

// Params lists the parameters in the order of the layers.
func (n *Network) Params() []Param {
	ps := make([]Param, len(n.params))
	for i, p := range n.params {
		ps[i] = *p
	}
	return ps
}

// Statistics lists what the network keeps besides parameters: the running means and variances of
// batch normalisation.
func (n *Network) Statistics() []Param {
	var out []Param
	for _, p := range n.saved {
		if p.Grad == nil {
			out = append(out, *p)
		}
	}
	return out
}

// At says which step of a training is next, which dropout depends on.
func (n *Network) At(step int64) { n.step = step }

// Step runs forward and backward on exactly Batch samples, x [N, C, H, W], and overwrites the
// parameters' Grad. A sample with label -1 does not count; at least one must. Samples after the last
// one with a label, such as those that fill up a short last batch, are no part of batch normalisation's
// statistics either, which move. It changes no weight.
//
// A loss that is not finite is not an error here: it is for the caller to stop.
func (n *Network) Step(x []float32, labels []int32) (Output, error) {
	if len(x) != len(n.x) || len(labels) != n.cfg.Batch {
		return Output{}, fmt.Errorf("%s: a step takes %d samples of %dx%dx%d: %d numbers and %d labels, found %d and %d",
			n.cfg.Arch, n.cfg.Batch, n.cfg.Channels, n.cfg.Height, n.cfg.Width, len(n.x), n.cfg.Batch, len(x), len(labels))
	}
	valid := 0
	for i, l := range labels {
		if l < -1 || int(l) >= n.cfg.Classes {
			return Output{}, fmt.Errorf("%s: sample %d: label %d, want -1 to %d", n.cfg.Arch, i, l, n.cfg.Classes-1)
		}
		if l >= 0 {
			valid = i + 1
		}
	}
	if valid == 0 {
		return Output{}, fmt.Errorf("%s: no sample of the batch has a label", n.cfg.Arch)
	}
	if n.training == nil {
		g, err := n.build(true)
		if err != nil {
			return Output{}, err
		}
		n.training = g
	}
	n.batch, n.valid = n.cfg.Batch, valid
	copy(n.x, x)
	copy(n.labels, labels)
	n.loss = math.NaN()
	if err := n.training.run(); err != nil {
		return Output{}, fmt.Errorf("%s: %w", n.cfg.Arch, err)
	}
	return Output{Loss: n.loss, Samples: n.samples, Logits: n.logits, Embedding: n.embedding}, nil
}

// Infer runs forward on count <= Batch samples, x [count, C, H, W]; there is no loss. A sample's
// result does not depend on the others.
func (n *Network) Infer(x []float32, count int) (Output, error) {
	size := len(n.x) / n.cfg.Batch
	if count < 1 || count > n.cfg.Batch || len(x) < count*size {
		return Output{}, fmt.Errorf("%s: inference of %d samples from %d numbers; a sample has %d, a batch up to %d samples",
			n.cfg.Arch, count, len(x), size, n.cfg.Batch)
	}
	if n.inference == nil {
		g, err := n.build(false)
		if err != nil {
			return Output{}, err
		}
		n.inference = g
	}
	n.batch = count
	copy(n.x, x[:count*size])
	if err := n.inference.run(); err != nil {
		return Output{}, fmt.Errorf("%s: %w", n.cfg.Arch, err)
	}
	return Output{Logits: n.logits[:count*n.cfg.Classes], Embedding: n.embedding[:count*n.EmbeddingWidth()]}, nil
}

// Close lets go of the graphs. The network can be used again, which builds them anew.
func (n *Network) Close() {
	for _, g := range []*graph{n.training, n.inference} {
		if g != nil {
			g.machine.Close()
		}
	}
	n.training, n.inference = nil, nil
}

var _ gorgonia.Op = (*op)(nil)
