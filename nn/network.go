package nn

import (
	"fmt"
	"math"
	"slices"

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
	replica bool // the weights are another network's

	training, inference *graph    // built when first used
	arena               []float32 // which they use in turn

	// What the graphs read and write.
	batch     int // samples that count in an inference
	valid     int // samples of a step up to the last with a label
	step      int64
	x         []float32
	embedding []float32
	logits    []float32 // of identity
	samples   []float64
	heads     []*headState
}

// headState is a head at work.
type headState struct {
	Head
	labels  []int32
	logits  []float32 // nil for a triplet loss
	samples []float64 // loss of each, 0 without a label
	loss    float64   // their mean over those with one
}

// Output is what a step or an inference gives. The slices are valid until the next call.
type Output struct {
	Loss      float64   // sum of the heads', times their weights; only after Step
	Samples   []float64 // loss of each sample, 0 without label and for triplets; only after Step
	Logits    []float32 // [N, Classes], nil without head identity
	Embedding []float32 // [N, EmbeddingWidth]
	Heads     []HeadOutput
}

// HeadOutput is what one head gives.
type HeadOutput struct {
	Kind   HeadKind
	Loss   float64   // mean over the samples with a label; only after Step
	Logits []float32 // [N, outputs], nil for a triplet loss
}

// New builds a network with weights drawn from the seed. An unknown network, or an input too
// small for it, is an error before anything is built.
func New(cfg Config) (*Network, error) {
	p, err := cfg.plan()
	if err != nil {
		return nil, err
	}
	return newNetwork(cfg, p, nil), nil
}

// newNetwork takes the weights of another network of the same plan, if there is one.
func newNetwork(cfg Config, p *plan, of *Network) *Network {
	n := &Network{cfg: cfg, plan: p, batch: cfg.Batch, layouts: layoutsOf(p, cfg.Batch), replica: of != nil}
	n.x = make([]float32, cfg.Batch*cfg.Channels*cfg.Height*cfg.Width)
	n.samples = make([]float64, cfg.Batch)
	n.embedding = make([]float32, cfg.Batch*p.features.out[0])
	for _, l := range p.heads {
		h := &headState{Head: l.head, labels: make([]int32, cfg.Batch), samples: make([]float64, cfg.Batch)}
		if k := l.head.Kind.outputs(cfg.Classes); k > 0 {
			h.logits = make([]float32, cfg.Batch*k)
		}
		if h.Kind == Identity {
			n.logits = h.logits
		}
		n.heads = append(n.heads, h)
	}
	for _, l := range p.layers {
		var own []*Param
		for _, s := range l.params {
			var param *Param
			if of != nil {
				param = of.saved[len(n.saved)+len(own)].twin()
			} else {
				param = newParam(s)
				param.init(s.init, cfg.Seed)
				param.Frozen = matches(cfg.Frozen, s.name)
			}
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

// outputOf returns the buffer of a flat layer's output: storage that is kept where it is the
// embedding or a head's logits.
func (n *Network) outputOf(l *layer) *buffer {
	if l == n.plan.features {
		return bufferOf(n.embedding, n.cfg.Batch, l.out[0])
	}
	for i, loss := range n.plan.heads {
		if loss.in[0] == l && n.heads[i].logits != nil {
			return bufferOf(n.heads[i].logits, n.cfg.Batch, l.out[0])
		}
	}
	return n.buffer(l)
}

// head returns the state of a loss.
func (n *Network) head(loss *layer) *headState { return n.heads[slices.Index(n.plan.heads, loss)] }

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

// Replica returns a network with the same weights, in the same memory, and with gradients of its own:
// the two may learn from different batches at the same time. The running statistics of batch
// normalisation stay as they are until [Network.Absorb].
func (n *Network) Replica() *Network { return newNetwork(n.cfg, n.plan, n) }

// Absorb moves the running statistics by the last batch of a replica, as if it had been n's own.
func (n *Network) Absorb(r *Network) {
	for i, u := range n.units {
		if u, ok := u.(*normUnit); ok && u.learns {
			r.units[i].(*normUnit).norm.Move(u.stats())
		}
	}
}

// At says which step of a training is next, which dropout depends on.
func (n *Network) At(step int64) { n.step = step }

// Step is Learn for identity alone.
func (n *Network) Step(x []float32, labels []int32) (Output, error) {
	return n.Learn(x, Targets{Label: labels})
}

// Learn runs forward and backward on exactly Batch samples, x [N, C, H, W], and overwrites the
// parameters' Grad. A sample without a head's target, such as label -1, does not count for that
// head; at least one must for one of them. Samples after the last one with a target, such as those
// that fill up a short last batch, are no part of batch normalisation's statistics either, which
// move. It changes no weight.
//
// A loss that is not finite is not an error here: it is for the caller to stop.
func (n *Network) Learn(x []float32, t Targets) (Output, error) {
	size := n.cfg.Batch
	if len(x) != len(n.x) || !t.sizes(size) {
		return Output{}, fmt.Errorf("%s: a step takes %d samples of %dx%dx%d: %d numbers and %d labels, found %d and %d",
			n.cfg.Arch, size, n.cfg.Channels, n.cfg.Height, n.cfg.Width, len(n.x), size, len(x), len(t.Label))
	}
	valid := 0
	for _, h := range n.heads {
		t.labels(h.Kind, h.labels)
		outputs := n.cfg.Classes
		if h.logits != nil {
			outputs = len(h.logits) / size
		}
		for i, l := range h.labels {
			if l < -1 || int(l) >= outputs && h.Kind != AgeRank {
				return Output{}, fmt.Errorf("%s: sample %d: label %d, want -1 to %d", n.cfg.Arch, i, l, outputs-1)
			}
			if l >= 0 {
				valid = max(valid, i+1)
			}
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
	n.batch, n.valid = size, valid
	kernel.Copy(x, n.x)
	for _, h := range n.heads {
		h.loss = math.NaN()
	}
	if err := n.training.run(); err != nil {
		return Output{}, fmt.Errorf("%s: %w", n.cfg.Arch, err)
	}
	out := n.output(size)
	clear(n.samples)
	for _, h := range n.heads {
		out.Loss += h.Weight * h.loss
		for i, v := range h.samples {
			n.samples[i] += h.Weight * v
		}
	}
	out.Samples = n.samples
	return out, nil
}

// sizes reports whether what is known is known for n samples.
func (t Targets) sizes(n int) bool {
	return (t.Label == nil || len(t.Label) == n) && (t.Age == nil || len(t.Age) == n) && (t.Gender == nil || len(t.Gender) == n)
}

// output is what the first count samples gave.
func (n *Network) output(count int) Output {
	out := Output{Embedding: n.embedding[:count*n.EmbeddingWidth()]}
	for _, h := range n.heads {
		logits := h.logits[:len(h.logits)/n.cfg.Batch*count]
		out.Heads = append(out.Heads, HeadOutput{h.Kind, h.loss, logits})
		if h.Kind == Identity {
			out.Logits = logits
		}
	}
	return out
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
	return n.output(count), nil
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
