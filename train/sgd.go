package train

import (
	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// momentum is stochastic gradient descent with momentum and weight decay, as PyTorch's
// torch.optim.SGD does it (dampening 0, no Nesterov):
//
//	d = g + decay*w
//	v = mu*v + d        (v = d at the first step, which v = 0 gives as well)
//	w = w - rate*v
type momentum struct {
	mu, decay float32
	threads   int
	velocity  []safetensors.Floats
}

func newMomentum(c Config, params []nn.Param, threads int) *momentum {
	return &momentum{
		mu: float32(c.Momentum), decay: float32(c.WeightDecay),
		threads: threads, velocity: zeros(params, "velocity."),
	}
}

func (o *momentum) memory() []safetensors.Floats { return o.velocity }

func (o *momentum) step(params []nn.Param, rates []float64) {
	for i, p := range params {
		decay := o.decay
		if !p.Decay {
			decay = 0
		}
		rate, v := float32(rates[i]), o.velocity[i].Data
		ranges(len(v), o.threads, func(lo, hi int) {
			momentumRange(p.Data[lo:hi], p.Grad[lo:hi], v[lo:hi], rate, o.mu, decay)
		})
	}
}

func momentumRange(w, g, v []float32, rate, mu, decay float32) {
	g, v = g[:len(w)], v[:len(w)]
	for i := range w {
		d := g[i] + float32(decay*w[i])
		v[i] = float32(mu*v[i]) + d
		w[i] -= float32(rate * v[i])
	}
}
