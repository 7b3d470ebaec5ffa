package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/vf2prep/vf2prep/internal/safetensors"
	"github.com/vf2prep/vf2prep/nn"
)

// weightsOf reads the weights of the only checkpoint.
func weightsOf(t *testing.T, run, name string) []safetensors.Floats {
	t.Helper()
	_, newest, err := checkpoints(run)
	if err != nil {
		t.Fatal(err)
	}
	arrays, _, err := safetensors.ReadFloats(filepath.Join(newest.dir(run), name))
	if err != nil {
		t.Fatal(err)
	}
	return arrays
}

// Two batches of two make the update that one of four makes. One image has no label, and the last
// group of an epoch is short: each batch must count by its labels.
func TestAccumulationIsALargerBatch(t *testing.T) {
	images := faces("train", 3, 10)
	images.samples[9].Label = -1
	large := usual(t)
	large.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, images, faces("val", 3, 6))
	large.Optimizer, large.Momentum, large.LearningRate = sgd, 0.9, 0.05
	mustRun(t, large)
	small := large.in(t)
	small.Batch, small.Accumulate = 2, 2
	r := mustRun(t, small)
	if r.Steps != 3*5 {
		t.Errorf("%d steps, want 15: a step is a batch", r.Steps)
	}
	got, want := weightsOf(t, small.Out, weightsName), weightsOf(t, large.Out, weightsName)
	worst := 0.0
	for i := range want {
		for k, w := range want[i].Data {
			worst = math.Max(worst, math.Abs(float64(got[i].Data[k]-w)))
		}
	}
	// Only the order of float32 sums differs; with equal shares for unequal batches it is 1e-3.
	if worst > 1e-5 {
		t.Errorf("largest difference of a weight %g, want at most 1e-5", worst)
	}
}

// Replicas change nothing, stopped and gone on or not: groups that end with an epoch are short, and a
// run goes on in the middle of a group with another number of them.
func TestReplicasNeverShow(t *testing.T) {
	o := five(t)
	o.Batch, o.Accumulate, o.Epochs = 2, 3, 2
	mustRun(t, o)
	want := outcome(t, o.Out)
	for _, replicas := range []int{2, 3} {
		p := o.in(t)
		p.Replicas = replicas
		mustRun(t, p)
		equal(t, fmt.Sprintf("%d replicas", replicas), outcome(t, p.Out), want)
		p = o.in(t)
		p.Replicas = replicas
		runInterrupted(t, p, 3)
		equal(t, fmt.Sprintf("%d replicas, stopped", replicas), outcome(t, p.Out), want)
	}
}

// A stop in the middle of a group leaves its sums in the checkpoint.
func TestSumsAreSaved(t *testing.T) {
	o := five(t)
	o.Accumulate = 4
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o.Progress = &after{left: 3, call: cancel}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("Run = %v, want Canceled", err)
	}
	largest := 0.0
	for _, a := range weightsOf(t, o.Out, optimizerName) {
		if a.Name == "grad_sum.fc.weight" {
			for _, v := range a.Data {
				largest = math.Max(largest, math.Abs(float64(v)))
			}
		}
	}
	if largest == 0 {
		t.Error("no sum of gradients in the checkpoint, or only zeros")
	}
}

func TestClippingAgreesWithPyTorch(t *testing.T) {
	golden := readGolden(t)
	for _, c := range golden.Clips {
		var params []nn.Param
		for _, g := range golden.Grads[0] {
			params = append(params, nn.Param{Grad: append([]float32(nil), g...)})
		}
		clipNorm(params, c.Most)
		for i, p := range params {
			for k, got := range p.Grad {
				// PyTorch sums up in float32.
				if want := c.Grads[i][k]; math.Abs(float64(got-want)) > 1e-6*math.Abs(float64(want)) {
					t.Errorf("clip to %v: gradient %d of %d = %v, want %v", c.Most, k, i, got, want)
				}
			}
		}
	}
}
