package train

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/rng"
)

// golden is what PyTorch did; the script that wrote it lies beside the file.
type golden struct {
	Start [][]float32
	Grads [][][]float32
	Cases []struct {
		Config  Config
		Weights [][][]float32
	}
	Clips []struct {
		Most  float64
		Grads [][]float32 // of the first of Grads
	}
	Schedules []struct {
		Config Config
		Rates  []float64
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/optimizers.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOptimizersAgreeWithPyTorch(t *testing.T) {
	golden := readGolden(t)
	// Both sides compute in float32 and may round differently in each of some ten operations a
	// step; what the error is relative to is the largest of the weight and its update.
	const tolerance = 2e-6
	for _, c := range golden.Cases {
		params := make([]nn.Param, len(golden.Start))
		for i, w := range golden.Start {
			params[i] = nn.Param{Name: fmt.Sprint(i), Shape: []int{len(w)}, Data: slices.Clone(w), Grad: make([]float32, len(w)), Decay: i == 0}
		}
		opt := newOptimizer(c.Config, params, 1)
		worst := 0.0
		for step, grads := range golden.Grads {
			before := [][]float32{slices.Clone(params[0].Data), slices.Clone(params[1].Data)}
			for i := range params {
				copy(params[i].Grad, grads[i])
			}
			opt.step(params, []float64{c.Config.LearningRate, c.Config.LearningRate})
			for i, p := range params {
				for k, got := range p.Data {
					want := c.Weights[step][i][k]
					size := math.Max(math.Abs(float64(want)), math.Abs(float64(want-before[i][k])))
					worst = math.Max(worst, math.Abs(float64(got-want))/size)
				}
			}
		}
		if !(worst < tolerance) {
			t.Errorf("%+v: largest relative error %g, want less than %g", c.Config, worst, tolerance)
		}
	}
}

func drawn(n int, name string) []float32 {
	r := rng.Stream(1, name)
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.Norm())
	}
	return out
}

func TestThreadsDoNotChangeAStep(t *testing.T) {
	const n = 5*minRange + 17
	for _, name := range []string{sgd, adadelta, adam} {
		c := Config{Optimizer: name, Momentum: 0.9, Rho: 0.95, Epsilon: 1e-7, Beta1: 0.9, Beta2: 0.999, WeightDecay: 1e-3}
		var want []float32
		for _, threads := range []int{1, 2, 5, 16} {
			params := []nn.Param{{Name: "w", Shape: []int{n}, Data: drawn(n, "w"), Grad: drawn(n, "g"), Decay: true}}
			opt := newOptimizer(c, params, threads)
			for range 3 {
				opt.step(params, []float64{0.3})
			}
			if want == nil {
				want = params[0].Data
			} else if !slices.Equal(params[0].Data, want) {
				t.Errorf("%s: %d threads give other weights than 1", name, threads)
			}
		}
	}
}

// Without momentum there is no velocity, and what earlier checkpoints have of it is left out.
func TestDescentRemembersNothing(t *testing.T) {
	params := []nn.Param{{Name: "w", Shape: []int{2, 3}, Data: make([]float32, 6), Grad: make([]float32, 6)}}
	l := &learner{params: params, opt: newOptimizer(Config{Optimizer: sgd}, params, 1), grads: newGradients(Config{}, params, 1)}
	old := newOptimizer(Config{Optimizer: sgd, Momentum: 0.9}, params, 1).memory()
	if got := l.memory(); len(got) != 0 || len(old) != 1 {
		t.Fatalf("%d arrays without momentum, %d with, want 0 and 1", len(got), len(old))
	}
	if err := remember(l.memory(), l.needed(old)); err != nil {
		t.Errorf("an earlier checkpoint: %v", err)
	}
}

func TestRememberRefusesAnotherOptimizersMemory(t *testing.T) {
	params := []nn.Param{{Name: "w", Shape: []int{2, 3}, Data: make([]float32, 6), Grad: make([]float32, 6)}}
	wider := []nn.Param{{Name: "w", Shape: []int{3, 2}, Data: make([]float32, 6), Grad: make([]float32, 6)}}
	opt := newOptimizer(Config{Optimizer: adadelta}, params, 1)
	for _, c := range []struct {
		from optimizer
		want string
	}{
		{newOptimizer(Config{Optimizer: sgd}, params, 1), `no tensor "square_avg.w"`},
		{newOptimizer(Config{Optimizer: adadelta}, wider, 1), `tensor "square_avg.w": shape [3 2], want [2 3]`},
		{newOptimizer(Config{Optimizer: adadelta}, append(params, nn.Param{Name: "b"}), 1), "4 tensors, want 2"},
	} {
		err := remember(opt.memory(), c.from.memory())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("remember = %v, want %q", err, c.want)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	const n = 1 << 21
	for _, name := range []string{sgd, adadelta, adam} {
		b.Run(name, func(b *testing.B) {
			params := []nn.Param{{Name: "w", Shape: []int{n}, Data: drawn(n, "w"), Grad: drawn(n, "g"), Decay: true}}
			opt := newOptimizer(Config{Optimizer: name, Momentum: 0.9, Rho: 0.95, Epsilon: 1e-7, Beta1: 0.9, Beta2: 0.999}, params, 1)
			b.SetBytes(4 * n)
			for b.Loop() {
				opt.step(params, []float64{0.01})
			}
		})
	}
}
