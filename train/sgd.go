package train

import (
	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
)

// momentum is stochastic gradient descent with momentum; see [kernel.Momentum]. Without any it
// remembers nothing.
type momentum struct {
	mu, decay float32
	velocity  []safetensors.Floats
}

// velocityPrefix begins the names of what momentum remembers.
const velocityPrefix = "velocity."

func newMomentum(c Config, params []nn.Param) *momentum {
	o := &momentum{mu: float32(c.Momentum), decay: float32(c.WeightDecay)}
	if o.mu != 0 {
		o.velocity = zeros(params, velocityPrefix)
	}
	return o
}

func (o *momentum) memory() []safetensors.Floats { return o.velocity }

func (o *momentum) step(params []nn.Param, rates []float64) {
	for i, p := range params {
		decay := o.decay
		if !p.Decay {
			decay = 0
		}
		var v []float32
		if o.velocity != nil {
			v = o.velocity[i].Data
		}
		kernel.Momentum(p.Data, p.Grad, v, float32(rates[i]), o.mu, decay)
	}
}
