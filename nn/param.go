package nn

import (
	"math"

	"gorgonia.org/tensor"

	"github.com/vf2prep/vf2prep/rng"
)

// Param is one array of weights. Data and Grad are the live storage: what an optimiser writes to
// Data counts in the next step, and each step overwrites Grad.
type Param struct {
	Name   string // PyTorch's, "layer1.0.conv1.weight"
	Shape  []int  // [out, in, height, width], [out, in] or [out]
	Data   []float32
	Grad   []float32
	Frozen bool // not trained: Grad stays zero
	Decay  bool // weight decay applies: true for weights, false for biases
}

func newParam(s paramShape) *Param {
	n := tensor.Shape(s.shape).TotalSize()
	p := &Param{Name: s.name, Shape: s.shape, Decay: len(s.shape) > 1, Data: make([]float32, n)}
	hugePages(p.Data)
	if !s.init.running() {
		p.Grad = make([]float32, n)
		hugePages(p.Grad)
	}
	return p
}

// twin is a parameter with the same values, in the same memory, and a gradient of its own.
func (p *Param) twin() *Param {
	q := *p
	if p.Grad != nil {
		q.Grad = make([]float32, len(p.Grad))
		hugePages(q.Grad)
	}
	return &q
}

// initializer is how a parameter's first values are chosen.
type initializer int8

const (
	zero initializer = iota
	one
	// glorot draws from +-sqrt(6 / (fan in + fan out)), as Keras does by default.
	//
	// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
	// networks", AISTATS 2010.
	glorot
	// he draws from a normal distribution of variance 2 / fan out, as torchvision does for convolutions.
	//
	// K. He et al., "Delving Deep into Rectifiers", ICCV 2015.
	he
	// fanIn draws from +-1 / sqrt(fan in), as PyTorch does for fully connected layers: scores begin
	// small however few they are, where he's of two classes would begin far from 0.
	fanIn
	// runningZero and runningOne are of running statistics, which no optimiser touches.
	runningZero
	runningOne
)

func (i initializer) running() bool { return i >= runningZero }

// init sets the first values. Each parameter has its own stream, so adding a layer changes no other.
func (p *Param) init(how initializer, seed uint64) {
	area := 1
	for _, s := range p.Shape[min(2, len(p.Shape)):] {
		area *= s
	}
	r := rng.Stream(seed, "init", p.Name)
	switch how {
	case glorot:
		limit := math.Sqrt(6 / float64((p.Shape[0]+p.Shape[1])*area))
		for i := range p.Data {
			p.Data[i] = float32(r.Between(-limit, limit))
		}
	case he:
		deviation := math.Sqrt(2 / float64(p.Shape[0]*area))
		for i := range p.Data {
			p.Data[i] = float32(r.Norm() * deviation)
		}
	case fanIn:
		limit := 1 / math.Sqrt(float64(p.Shape[1]*area))
		for i := range p.Data {
			p.Data[i] = float32(r.Between(-limit, limit))
		}
	case one, runningOne:
		for i := range p.Data {
			p.Data[i] = 1
		}
	default:
		clear(p.Data)
	}
}
