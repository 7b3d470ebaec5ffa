package nn

import (
	"fmt"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// noise is a batch of random pixels and labels.
func noise(cfg Config) ([]float32, []int32) {
	r := rng.Stream(9, "noise")
	x := make([]float32, cfg.Batch*cfg.Channels*cfg.Height*cfg.Width)
	for i := range x {
		x[i] = float32(r.Between(-1, 1))
	}
	labels := make([]int32, cfg.Batch)
	for i := range labels {
		labels[i] = int32(r.IntN(cfg.Classes))
	}
	return x, labels
}

func BenchmarkStep(b *testing.B) {
	for _, c := range []struct{ h, w, batch int }{{190, 170, 4}, {112, 112, 16}} {
		b.Run(fmt.Sprintf("%dx%dx%d", c.h, c.w, c.batch), func(b *testing.B) {
			cfg := Config{Arch: "seed-resnet-relu", Channels: 3, Height: c.h, Width: c.w, Classes: 50, Batch: c.batch, Seed: 1}
			n, err := New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			x, labels := noise(cfg)
			if _, err := n.Step(x, labels); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := n.Step(x, labels); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
