package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// Each operator in a small network of its own, with an operator before it whose weights get
// their gradient through it. Between them they hold every kind of layer, both strides, odd and
// even sizes, one and several samples, and nodes whose gradient is a sum.
func TestGradientsAreNumericGradients(t *testing.T) {
	for _, c := range []struct {
		name        string
		batch, h, w int
		build       func(p *plan, x *layer) *layer
	}{
		{"linear", 1, 3, 2, func(p *plan, x *layer) *layer { return x }},
		{"conv 3x3", 1, 5, 6, func(p *plan, x *layer) *layer { return p.conv("b", x, 5, 3, 1, false) }},
		{"conv 3x3 ReLU", 3, 6, 5, func(p *plan, x *layer) *layer { return p.conv("b", x, 17, 3, 1, true) }},
		{"conv 3x3 stride 2, even and odd", 2, 6, 7, func(p *plan, x *layer) *layer { return p.conv("b", x, 4, 3, 2, true) }},
		{"conv 3x3 stride 2, odd and even", 1, 7, 6, func(p *plan, x *layer) *layer { return p.conv("b", x, 4, 3, 2, false) }},
		{"conv 1x1", 2, 4, 3, func(p *plan, x *layer) *layer { return p.conv("b", x, 4, 1, 1, true) }},
		{"conv 1x1 stride 2", 2, 4, 5, func(p *plan, x *layer) *layer { return p.conv("b", x, 4, 1, 2, true) }},
		{"conv 7x7", 1, 5, 8, func(p *plan, x *layer) *layer { return p.conv("b", x, 3, 7, 1, true) }},
		{"conv 7x7 stride 2", 1, 8, 5, func(p *plan, x *layer) *layer { return p.conv("b", x, 3, 7, 2, true) }},
		{"average pool", 2, 7, 8, func(p *plan, x *layer) *layer { return p.avgPool("b", x, 3, 3) }},
		{"average pool, overlapping", 1, 6, 5, func(p *plan, x *layer) *layer { return p.avgPool("b", x, 3, 2) }},
		{"identity shortcut", 2, 5, 4, func(p *plan, x *layer) *layer {
			return p.sum("s", p.conv("b", x, 6, 3, 1, false), x, false)
		}},
		{"identity shortcut, ReLU", 2, 5, 4, func(p *plan, x *layer) *layer {
			return p.sum("s", p.conv("b", x, 6, 3, 1, false), x, true)
		}},
		{"two shortcuts in a row", 1, 4, 4, func(p *plan, x *layer) *layer {
			x = p.sum("s", p.conv("b", x, 6, 3, 1, false), x, true)
			return p.sum("t", p.conv("c", x, 6, 3, 1, false), x, false)
		}},
		{"shortcut with stride", 2, 6, 5, func(p *plan, x *layer) *layer {
			main := p.conv("c", p.conv("b", x, 5, 3, 1, true), 5, 3, 2, false)
			return p.sum("s", main, p.conv("d", x, 5, 3, 2, true), true)
		}},
		{"max pool", 2, 7, 6, func(p *plan, x *layer) *layer { return p.maxPool("b", x, 3, 2, 1) }},
		{"global mean", 2, 5, 6, func(p *plan, x *layer) *layer { return p.mean("b", x) }},
		{"batch normalisation", 3, 5, 6, func(p *plan, x *layer) *layer { return p.norm("b", x, nil, false) }},
		{"batch normalisation, ReLU", 3, 5, 6, func(p *plan, x *layer) *layer {
			return p.norm("n", p.conv2d("b", x, 17, 3, 2, 1, false, false), nil, true)
		}},
		{"bottleneck", 3, 4, 5, func(p *plan, x *layer) *layer {
			return resNet{bottleneck: true}.block(p, "b", x, 5, 2)
		}},
		{"two blocks", 2, 4, 5, func(p *plan, x *layer) *layer {
			x = resNet{}.block(p, "b", x, 6, 1)
			return resNet{}.block(p, "c", x, 7, 2)
		}},
		{"squeeze and excitation", 2, 4, 5, func(p *plan, x *layer) *layer {
			x = resNet{bottleneck: true, squeeze: 4}.block(p, "b", x, 5, 1)
			return resNet{bottleneck: true, squeeze: 4}.block(p, "c", x, 5, 1)
		}},
		{"fully connected layers with dropout", 3, 4, 5, func(p *plan, x *layer) *layer {
			x = p.linear("b", p.flatten("flatten", x), 11, he)
			x.relu = true
			return p.dropout("d", x, 0.4)
		}},
		{"frames that differ", 1, 6, 6, func(p *plan, x *layer) *layer {
			return p.sum("s", p.conv("b", x, 6, 5, 1, false), p.conv("c", x, 6, 1, 1, false), true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Arch: "test", Channels: 3, Height: c.h, Width: c.w, Classes: 5, Batch: c.batch, Seed: 3}
			p := &plan{}
			x := c.build(p, p.conv("a", p.input(3, c.h, c.w), 6, 3, 1, true))
			if len(x.out) == 3 {
				x = p.flatten("flatten", x)
			}
			p.learn(x, "fc", he, cfg)
			p.settle()
			p.freeze(nil)
			checkGradients(t, newNetwork(cfg, p, nil))
		})
	}
}

func checkGradients(t *testing.T, n *Network) {
	t.Helper()
	x, labels := noise(n.cfg)
	if n.cfg.Batch > 2 {
		labels[1] = -1
	}
	r := rng.Stream(4, "check")
	for _, p := range n.Params() {
		if len(p.Shape) == 1 {
			for i := range p.Data {
				p.Data[i] = float32(r.Between(-0.1, 0.1))
			}
		}
	}
	loss := func() float64 {
		out, err := n.Step(x, labels)
		if err != nil {
			t.Fatal(err)
		}
		return out.Loss
	}
	loss()
	grads := map[string][]float32{}
	for _, p := range n.Params() {
		grads[p.Name] = append([]float32{}, p.Grad...)
	}
	const h = 1.0 / 256
	checked, kinks := 0, 0
	for _, p := range n.Params() {
		for k := range min(len(p.Data), 12) {
			i := k
			if len(p.Data) > 12 {
				i = r.IntN(len(p.Data))
			}
			old := p.Data[i]
			at := func(d float32) float64 { p.Data[i] = old + d; return loss() }
			// Where the loss is smooth, the slope does not depend on the step and the bend is
			// proportional to it. A ReLU that opens or closes in between breaks one or both; there
			// is no derivative to compare with.
			mid, up, down, up2, down2 := at(0), at(h), at(-h), at(h/2), at(-h/2)
			p.Data[i] = old
			want := (up - down) / (2 * h)
			slopes := want - (up2-down2)/h
			bends := (up-2*mid+down)/h - 2*(up2-2*mid+down2)/(h/2)
			if math.Abs(slopes) > 1.5e-4 || math.Abs(bends) > 4e-4 {
				kinks++
				continue
			}
			checked++
			if got := float64(grads[p.Name][i]); math.Abs(got-want) > 3e-4+1e-3*math.Abs(want) {
				t.Errorf("gradient of %s, number %d = %.6f, want %.6f", p.Name, i, got, want)
			}
		}
	}
	if checked < kinks/2 || checked < 10 {
		t.Errorf("only %d gradients could be checked, %d fell on a kink", checked, kinks)
	}
	t.Logf("%d gradients checked, %d fell on a kink", checked, kinks)
}

// The gradient machinery is used many times over; what one step leaves must not show in the next.
func TestStepsRepeat(t *testing.T) {
	cfg := Config{Arch: "seed-resnet-relu", Channels: 3, Height: 30, Width: 27, Classes: 7, Batch: 3, Seed: 1}
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x, labels := noise(cfg)
	snapshot := func() string {
		out, err := n.Step(x, labels)
		if err != nil {
			t.Fatal(err)
		}
		s := fmt.Sprint(out.Loss, out.Samples, out.Logits, out.Embedding)
		for _, p := range n.Params() {
			s += fmt.Sprint(p.Grad)
		}
		return s
	}
	want := snapshot()
	if snapshot() != want {
		t.Error("the second step on the same batch differs from the first")
	}
	if _, err := n.Infer(x, 2); err != nil {
		t.Fatal(err)
	}
	if snapshot() != want {
		t.Error("a step after an inference differs from the first")
	}
	n.Close()
	if snapshot() != want {
		t.Error("a step after Close differs from the first")
	}
}
