package train

import (
	"math"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// gradients sums up those of several batches, for an update as from one large batch. Each counts
// by its images with a label, so a short batch has no more say than its images have.
type gradients struct {
	params  []nn.Param
	sums    []safetensors.Floats // none where every batch ends in an update
	threads int
}

func newGradients(c Config, params []nn.Param, threads int) *gradients {
	g := &gradients{params: params, threads: threads}
	if c.Accumulate > 1 {
		g.sums = zeros(params, "grad_sum.")
	}
	return g
}

// add takes in the gradients of the network or of a replica, a mean over so many images.
func (g *gradients) add(params []nn.Param, images int) {
	n := float32(images)
	for i, s := range g.sums {
		ranges(len(s.Data), g.threads, func(lo, hi int) {
			sum, grad := s.Data[lo:hi], params[i].Grad[lo:hi]
			for k, v := range grad {
				sum[k] += float32(n * v)
			}
		})
	}
}

// mean makes the parameters' gradients the mean over so many images and begins new sums.
func (g *gradients) mean(images int) {
	n := float32(images)
	for i, s := range g.sums {
		ranges(len(s.Data), g.threads, func(lo, hi int) {
			sum, grad := s.Data[lo:hi], g.params[i].Grad[lo:hi]
			for k, v := range sum {
				grad[k] = v / n
			}
			clear(sum)
		})
	}
}

// clipNorm shortens the gradients, taken as one vector, to at most a length. It is PyTorch's
// clip_grad_norm_, but the squares are summed up in float64, one after another: the same on any
// number of threads.
//
// R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks",
// ICML 2013.
func clipNorm(params []nn.Param, most float64) {
	sum := 0.0
	for _, p := range params {
		for _, v := range p.Grad {
			sum += float64(float64(v) * float64(v))
		}
	}
	factor := float32(most / (math.Sqrt(sum) + 1e-6)) // PyTorch's guard against a division by zero
	if factor >= 1 {
		return
	}
	for _, p := range params {
		for i := range p.Grad {
			p.Grad[i] *= factor
		}
	}
}
