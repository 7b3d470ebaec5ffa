package nn

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// Ten steps from the same weights agree with PyTorch's losses to 1e-3 relative, the first gradients
// too, and so do the logits in inference afterwards, which the running statistics decide.
func TestNetworksAgreeWithPyTorch(t *testing.T) {
	var golden struct {
		Classes, Batch         int
		Rate, Momentum, Branch float32
		Networks               map[string]struct {
			Size   int
			Losses []float64
			Norms  map[string]float64 `json:"first_gradient_norms"`
			Logits [][]float64        `json:"eval_logits"`
		}
	}
	b, err := os.ReadFile("testdata/golden_networks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for arch, want := range golden.Networks {
		t.Run(arch, func(t *testing.T) {
			if testing.Short() {
				want.Losses = want.Losses[:2]
			}
			n, err := New(Config{Arch: arch, Channels: 3, Height: want.Size, Width: want.Size, Classes: golden.Classes, Batch: golden.Batch})
			if err != nil {
				t.Fatal(err)
			}
			params := n.Params()
			velocity := make([][]float32, len(params))
			for i, p := range params {
				velocity[i] = make([]float32, len(p.Data))
				if len(p.Shape) > 1 {
					fan := 1
					for _, s := range p.Shape[1:] {
						fan *= s
					}
					fillHashed(p.Data, arch+"/"+p.Name, math.Sqrt(6/float64(fan)))
				}
				// The last normalisation of a residual branch starts small.
				last := ".bn3.weight"
				if arch == "resnet18" {
					last = ".bn2.weight"
				}
				if strings.HasSuffix(p.Name, last) {
					for k := range p.Data {
						p.Data[k] = golden.Branch
					}
				}
			}
			x, labels := make([]float32, golden.Batch*3*want.Size*want.Size), make([]int32, golden.Batch)
			worst := 0.0
			compare := func(what string, got, want, scale float64) {
				t.Helper()
				differ := math.Abs(got-want) / scale
				worst = max(worst, differ)
				if !(differ <= 1e-3) {
					t.Errorf("%s = %.7g, want %.7g (%.1e apart)", what, got, want, differ)
				}
			}
			for step, loss := range want.Losses {
				name := string(rune('0' + step))
				fillHashed(x, arch+"/x"+name, 1)
				for i := range labels {
					labels[i] = int32(hashed(arch+"/label"+name, i) % uint32(golden.Classes))
				}
				out, err := n.Step(x, labels)
				if err != nil {
					t.Fatal(err)
				}
				compare("loss of step "+name, out.Loss, loss, loss)
				for i, p := range params {
					if step == 0 {
						compare("length of the first gradient of "+p.Name, norm2(p.Grad), want.Norms[p.Name], want.Norms[p.Name])
					}
					for k, g := range p.Grad {
						velocity[i][k] = golden.Momentum*velocity[i][k] + g
						p.Data[k] -= golden.Rate * velocity[i][k]
					}
				}
			}
			// In inference the running statistics decide. Without any, the logits would only show once
			// more how far a ReLU or a pooling that tips over in the last steps has led the weights.
			if len(n.Statistics()) > 0 && !testing.Short() {
				fillHashed(x, arch+"/eval", 1)
				out, err := n.Infer(x, golden.Batch)
				if err != nil {
					t.Fatal(err)
				}
				largest := 0.0
				for _, row := range want.Logits {
					for _, v := range row {
						largest = max(largest, math.Abs(v))
					}
				}
				for i, row := range want.Logits {
					for k, v := range row {
						compare("logit", float64(out.Logits[i*golden.Classes+k]), v, largest)
					}
				}
			}
			t.Logf("largest relative difference: %.1e", worst)
		})
	}
}
