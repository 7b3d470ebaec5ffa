package train

import (
	"slices"

	"github.com/vf2prep/vf2prep/nn"
)

// average is a running mean of the weights, which validates better than the weights themselves
// because their last steps' noise cancels out:
//
//	a = a + (1-decay)*(w-a)
//
// after each update, from a = w on. It must forget the first weights soon, so the decay of update
// t from 0 is at most (1+t)/(10+t), as in TensorFlow's ExponentialMovingAverage.
//
// B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging",
// SIAM Journal on Control and Optimization 30(4), 1992, pp. 838-855.
type average struct {
	params  []nn.Param
	decay   float64
	means   [][]float32 // none where no average is wanted
	threads int
}

func newAverage(c Config, params []nn.Param, threads int) *average {
	a := &average{params: params, decay: c.EMA, threads: threads}
	if c.EMA > 0 {
		a.means = make([][]float32, len(params))
		a.reset()
	}
	return a
}

// reset makes the mean the present weights.
func (a *average) reset() {
	for i := range a.means {
		a.means[i] = slices.Clone(a.params[i].Data)
	}
}

// update takes in the weights after an update; updates counts those before it.
func (a *average) update(updates int64) {
	rest := float32(1 - min(a.decay, float64(1+updates)/float64(10+updates)))
	for i, mean := range a.means {
		ranges(len(mean), a.threads, func(lo, hi int) {
			m, w := mean[lo:hi], a.params[i].Data[lo:hi]
			for k, v := range w {
				m[k] += float32(rest * (v - m[k]))
			}
		})
	}
}

// swap exchanges weights and mean, so that the network works with the mean until the next swap.
func (a *average) swap() {
	for i, m := range a.means {
		for k, w := range a.params[i].Data {
			a.params[i].Data[k], m[k] = m[k], w
		}
	}
}
