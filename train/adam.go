package train

import (
	"math"
	"slices"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// moments is Adam as PyTorch's torch.optim.Adam does it, weight decay being part of the gradient:
//
//	d = g + decay*w
//	m = beta1*m + (1-beta1)*d         running mean of gradients
//	v = beta2*v + (1-beta2)*d*d       running mean of squared gradients
//	w = w - rate/(1-beta1^t) * m / (sqrt(v)/sqrt(1-beta2^t) + eps)
//
// at step t from 1; the powers of t make up for m and v having begun at 0.
//
// D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
type moments struct {
	beta1, beta2 float64
	eps, decay   float32
	threads      int
	steps        safetensors.Floats // one number; float32 counts to 2^24, where both powers are long 0
	means        []safetensors.Floats
	squares      []safetensors.Floats
}

func newAdam(c Config, params []nn.Param, threads int) *moments {
	return &moments{
		beta1: c.Beta1, beta2: c.Beta2, eps: float32(c.Epsilon), decay: float32(c.WeightDecay),
		threads: threads,
		steps:   safetensors.Floats{Name: "step", Shape: []int{1}, Data: make([]float32, 1)},
		means:   zeros(params, "exp_avg."), squares: zeros(params, "exp_avg_sq."), // PyTorch's names
	}
}

func (o *moments) memory() []safetensors.Floats {
	return slices.Concat([]safetensors.Floats{o.steps}, o.means, o.squares)
}

func (o *moments) step(params []nn.Param, rates []float64) {
	o.steps.Data[0]++
	t := float64(o.steps.Data[0])
	unbias1, unbias2 := 1-math.Pow(o.beta1, t), float32(math.Sqrt(1-math.Pow(o.beta2, t)))
	for i, p := range params {
		decay := o.decay
		if !p.Decay {
			decay = 0
		}
		rate := float32(rates[i] / unbias1)
		m, v := o.means[i].Data, o.squares[i].Data
		ranges(len(m), o.threads, func(lo, hi int) {
			o.stepRange(p.Data[lo:hi], p.Grad[lo:hi], m[lo:hi], v[lo:hi], rate, unbias2, decay)
		})
	}
}

func (o *moments) stepRange(w, g, m, v []float32, rate, unbias2, decay float32) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	beta1, rest1 := float32(o.beta1), float32(1-o.beta1)
	beta2, rest2 := float32(o.beta2), float32(1-o.beta2)
	eps := o.eps
	for i := range w {
		d := g[i] + float32(decay*w[i])
		mi := float32(beta1*m[i]) + float32(rest1*d)
		vi := float32(beta2*v[i]) + float32(rest2*float32(d*d))
		m[i], v[i] = mi, vi
		w[i] -= float32(rate * (mi / (root(vi)/unbias2 + eps)))
	}
}
