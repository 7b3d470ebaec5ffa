package train

import (
	"math"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// delta is Adadelta as Keras and PyTorch do it, with a learning rate that Zeiler's has not:
//
//	d = g + decay*w
//	s = rho*s + (1-rho)*d*d           running mean of squared gradients
//	u = d * sqrt(a+eps) / sqrt(s+eps)
//	a = rho*a + (1-rho)*u*u           running mean of squared updates
//	w = w - rate*u
//
// M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012.
type delta struct {
	rho, rest, eps, decay float32 // rest is 1-rho
	threads               int
	squares, updates      []safetensors.Floats
}

func newAdadelta(c Config, params []nn.Param, threads int) *delta {
	return &delta{
		rho: float32(c.Rho), rest: float32(1 - c.Rho),
		eps: float32(c.Epsilon), decay: float32(c.WeightDecay),
		threads: threads,
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
		rate, s, a := float32(rates[i]), o.squares[i].Data, o.updates[i].Data
		ranges(len(s), o.threads, func(lo, hi int) {
			o.stepRange(p.Data[lo:hi], p.Grad[lo:hi], s[lo:hi], a[lo:hi], rate, decay)
		})
	}
}

func (o *delta) stepRange(w, g, s, a []float32, rate, decay float32) {
	g, s, a = g[:len(w)], s[:len(w)], a[:len(w)]
	rho, rest, eps := o.rho, o.rest, o.eps
	for i := range w {
		d := g[i] + float32(decay*w[i])
		si := float32(rho*s[i]) + float32(rest*float32(d*d))
		u := root(a[i]+eps) / root(si+eps) * d
		s[i] = si
		a[i] = float32(rho*a[i]) + float32(rest*float32(u*u))
		w[i] -= float32(rate * u)
	}
}

// root is the square root in float32: the compiler knows the conversion and takes the one
// instruction, and both roundings give the same.
func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }
