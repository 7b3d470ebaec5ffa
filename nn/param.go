package nn

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/rng"
)

// Param is one array of weights. Data and Grad are the live storage: what an optimiser writes to
// Data counts in the next step, and each step overwrites Grad.
type Param struct {
	Name  string // PyTorch's, "layer1.0.conv1.weight"
	Shape []int  // [out, in, height, width], [out, in] or [out]
	Data  []float32
	Grad  []float32
	Decay bool // weight decay applies: true for weights, false for biases
}

func newParam(name string, shape ...int) *Param {
	n := tensor.Shape(shape).TotalSize()
	return &Param{
		Name: name, Shape: shape, Decay: len(shape) > 1,
		Data: make([]float32, n), Grad: make([]float32, n),
	}
}

// init draws weights uniformly from +-sqrt(6 / (fan in + fan out)) and sets biases to zero, as
// Keras does by default. Each parameter has its own stream, so adding a layer changes no other.
//
// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
// networks", AISTATS 2010.
func (p *Param) init(seed uint64) {
	if len(p.Shape) < 2 {
		clear(p.Data)
		return
	}
	area := 1
	for _, s := range p.Shape[2:] {
		area *= s
	}
	limit := math.Sqrt(6 / float64((p.Shape[0]+p.Shape[1])*area))
	r := rng.Stream(seed, "init", p.Name)
	for i := range p.Data {
		p.Data[i] = float32(r.Between(-limit, limit))
	}
}
