package train

import (
	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
)

// momentum is stochastic gradient descent with momentum; see [kernel.Momentum].
type momentum struct {
	mu, decay float32
	velocity  []safetensors.Floats
}

func newMomentum(c Config, params []nn.Param) *momentum {
	return &momentum{
		mu: float32(c.Momentum), decay: float32(c.WeightDecay), velocity: zeros(params, "velocity."),
	}
}

func (o *momentum) memory() []safetensors.Floats { return o.velocity }

func (o *momentum) step(params []nn.Param, rates []float64) {
	for i, p := range params {
		decay := o.decay
		if !p.Decay {
			decay = 0
		}
		kernel.Momentum(p.Data, p.Grad, o.velocity[i].Data, float32(rates[i]), o.mu, decay)
	}
}
