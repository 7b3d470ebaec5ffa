package train

import (
	"fmt"
	"slices"
	"sync"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// optimizer turns gradients into steps. Its arithmetic is element by element in float32, each
// operation rounded on its own, so that neither threads nor fused multiply-adds change a bit.
type optimizer interface {
	// step moves every parameter by its gradient, with a learning rate for each; params are those
	// the optimiser was made for.
	step(params []nn.Param, rates []float64)
	// memory returns what the optimiser remembers between steps: live storage, named after the
	// parameters.
	memory() []safetensors.Floats
}

func newOptimizer(c Config, params []nn.Param, threads int) optimizer {
	switch c.Optimizer {
	case sgd:
		return newMomentum(c, params)
	case adam:
		return newAdam(c, params, threads)
	}
	return newAdadelta(c, params)
}

// zeros returns memory of the parameters' shapes, named prefix + the parameter's name.
func zeros(params []nn.Param, prefix string) []safetensors.Floats {
	out := make([]safetensors.Floats, len(params))
	for i, p := range params {
		out[i] = safetensors.Floats{Name: prefix + p.Name, Shape: slices.Clone(p.Shape), Data: make([]float32, len(p.Data))}
	}
	return out
}

// remember fills memory from what was saved of it. Names and shapes must agree.
func remember(memory, saved []safetensors.Floats) error {
	byName := make(map[string]safetensors.Floats, len(saved))
	for _, s := range saved {
		byName[s.Name] = s
	}
	for _, m := range memory {
		s, ok := byName[m.Name]
		if !ok {
			return fmt.Errorf("no tensor %q", m.Name)
		}
		if !slices.Equal(s.Shape, m.Shape) {
			return fmt.Errorf("tensor %q: shape %v, want %v", m.Name, s.Shape, m.Shape)
		}
	}
	if len(saved) != len(memory) {
		return fmt.Errorf("%d tensors, want %d", len(saved), len(memory))
	}
	for _, m := range memory {
		copy(m.Data, byName[m.Name].Data)
	}
	return nil
}

// minRange is the number of elements that are worth a goroutine of their own.
const minRange = 1 << 15

// ranges cuts 0..n into up to threads parts and calls f for each, at once.
func ranges(n, threads int, f func(lo, hi int)) {
	threads = min(threads, n/minRange)
	if threads <= 1 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() { f(n*t/threads, n*(t+1)/threads) })
	}
	wg.Wait()
}
