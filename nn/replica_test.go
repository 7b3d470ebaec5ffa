package nn

import (
	"slices"
	"sync"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// Batches that two replicas learn from at once leave what one network leaves that learns from one
// after the other: losses, gradients, running statistics, all to the bit.
func TestReplicasAreOneNetwork(t *testing.T) {
	for _, arch := range []string{"seed-resnet", "resnet18", "vgg16"} {
		cfg := Config{Arch: arch, Channels: 3, Height: 40, Width: 36, Classes: 5, Batch: 2, Seed: 3, Dropout: 0.5, Frozen: []string{"layer1.*"}}
		if arch != "vgg16" {
			cfg.Dropout = 0
		}
		if arch == "seed-resnet" {
			cfg.Frozen = nil
		}
		one, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		first, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		crew := []*Network{first, first.Replica(), first.Replica()}
		size := cfg.Batch * 3 * cfg.Height * cfg.Width
		batches := make([][]float32, len(crew))
		for i := range batches {
			r := rng.Stream(uint64(i), "batch")
			batches[i] = make([]float32, size)
			for k := range batches[i] {
				batches[i][k] = float32(r.Between(-1, 1))
			}
		}
		labels := []int32{1, 4}
		for round := range 2 {
			losses := make([]float64, len(crew))
			var wg sync.WaitGroup
			for i, n := range crew {
				n.At(int64(3*round + i))
				wg.Go(func() {
					out, err := n.Step(batches[i], labels)
					if err != nil {
						t.Error(err)
					}
					losses[i] = out.Loss
				})
			}
			wg.Wait()
			for i, n := range crew {
				one.At(int64(3*round + i))
				out, err := one.Step(batches[i], labels)
				if err != nil {
					t.Fatal(err)
				}
				if out.Loss != losses[i] {
					t.Errorf("%s, batch %d: loss %v, alone %v", arch, i, losses[i], out.Loss)
				}
				if i > 0 {
					first.Absorb(n)
				}
				for k, p := range n.Params() {
					if !slices.Equal(p.Grad, one.Params()[k].Grad) {
						t.Fatalf("%s, batch %d: another gradient of %s", arch, i, p.Name)
					}
				}
			}
			for k, p := range first.Statistics() {
				if !slices.Equal(p.Data, one.Statistics()[k].Data) {
					t.Fatalf("%s, round %d: %s differs", arch, round, p.Name)
				}
			}
			for _, n := range []*Network{one, crew[2]} { // an update, which all replicas see
				for _, p := range n.Params() {
					for i, g := range p.Grad {
						p.Data[i] -= float32(0.01 * g)
					}
				}
			}
		}
	}
}
