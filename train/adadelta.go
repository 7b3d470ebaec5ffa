package train

import (
	"math"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
)

// delta is Adadelta; see [kernel.Adadelta].
type delta struct {
	rho, rest, eps, decay float32 // rest is 1-rho
	squares, updates      []safetensors.Floats
}

func newAdadelta(c Config, params []nn.Param) *delta {
	return &delta{
		rho: float32(c.Rho), rest: float32(1 - c.Rho),
		eps: float32(c.Epsilon), decay: float32(c.WeightDecay),
		squares: zeros(params, "square_avg."), updates: zeros(params, "acc_delta."), // PyTorch's names
	}
}

func (o *delta) memory() []safetensors.Floats {
	return append(o.squares[:len(o.squares):len(o.squares)], o.updates...)
}

func (o *delta) step(params []nn.Param, rates []float64) {
	for i, p := range params {
		decay := o.decay
		if !p.Decay {
			decay = 0
		}
		kernel.Adadelta(p.Data, p.Grad, o.squares[i].Data, o.updates[i].Data, float32(rates[i]), o.rho, o.rest, o.eps, decay)
	}
}

// root is the square root in float32: the compiler knows the conversion and takes the one
// instruction, and both roundings give the same.
func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }
