package train

import (
	"slices"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// learner is the network with all that its training changes or remembers.
type learner struct {
	net     *nn.Network
	params  []nn.Param
	clip    float64 // longest gradient, 0: any
	opt     optimizer
	grads   *gradients
	average *average
}

func newLearner(c Config, net *nn.Network, threads int) *learner {
	params := net.Params()
	return &learner{
		net: net, params: params, clip: c.ClipNorm,
		opt:     newOptimizer(c, params, threads),
		grads:   newGradients(c, params, threads),
		average: newAverage(c, params, threads),
	}
}

// update moves the weights by the mean gradient of so many images; updates counts those before it.
func (l *learner) update(images int, updates int64, rate float64) {
	l.grads.mean(images)
	if l.clip > 0 {
		clipNorm(l.params, l.clip)
	}
	l.opt.step(l.params, slices.Repeat([]float64{rate}, len(l.params)))
	l.average.update(updates)
}

// memory is what must be saved beside the weights and their average.
func (l *learner) memory() []safetensors.Floats {
	return slices.Concat(l.opt.memory(), l.grads.sums)
}
