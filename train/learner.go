package train

import (
	"slices"
	"strings"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// learner is the network with all that its training changes or remembers.
type learner struct {
	net     *nn.Network
	params  []nn.Param // those that are trained
	scales  []float64  // of the learning rate, one for each of params
	clip    float64    // longest gradient, 0: any
	opt     optimizer
	grads   *gradients
	average *average

	crew []member // those that learn from batches at once, the network first
}

// member is the network or a replica of it, with the trained parameters in the order of learner.params.
type member struct {
	net    *nn.Network
	params []nn.Param
}

// newLearner fails with an [ErrOption] where the configuration names parameters that the network
// has not.
func newLearner(c Config, net *nn.Network, replicas, threads int) (*learner, error) {
	params, scales, err := choose(c, net.Params())
	if err != nil {
		return nil, err
	}
	crew := []member{{net, params}}
	for len(crew) < replicas {
		r := net.Replica()
		params, _, err := choose(c, r.Params())
		if err != nil {
			return nil, err
		}
		crew = append(crew, member{r, params})
	}
	return &learner{
		net: net, params: params, scales: scales, clip: c.ClipNorm,
		opt:     newOptimizer(c, params, threads),
		grads:   newGradients(c, params, threads),
		average: newAverage(c, params, threads),
		crew:    crew,
	}, nil
}

// update moves the weights by the mean gradient of so many images; updates counts those before it.
func (l *learner) update(images int, updates int64, rate float64) {
	l.grads.mean(images)
	if l.clip > 0 {
		clipNorm(l.params, l.clip)
	}
	rates := make([]float64, len(l.scales))
	for i, s := range l.scales {
		rates[i] = rate * s
	}
	l.opt.step(l.params, rates)
	l.average.update(updates)
}

// memory is what must be saved beside the weights and their average.
func (l *learner) memory() []safetensors.Floats {
	return slices.Concat(l.opt.memory(), l.grads.sums)
}

// needed is what of a checkpoint's memory still counts: earlier ones have a velocity also where there is
// no momentum, which no step looks at.
func (l *learner) needed(saved []safetensors.Floats) []safetensors.Floats {
	if o, ok := l.opt.(*momentum); ok && o.velocity == nil {
		return slices.DeleteFunc(saved, func(s safetensors.Floats) bool { return strings.HasPrefix(s.Name, velocityPrefix) })
	}
	return saved
}
