package nn

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

// hashed is golden_seed_resnet.py's: 32 bits from a name and an index.
func hashed(name string, i int) uint32 {
	seed := uint32(2166136261)
	for _, b := range []byte("4/" + name) { // the script's SALT
		seed = (seed ^ uint32(b)) * 16777619
	}
	h := uint32(i)*2654435761 + seed
	h ^= h >> 16
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	return h ^ h>>16
}

func fillHashed(dst []float32, name string, limit float64) {
	for i := range dst {
		u := float64(hashed(name, i)>>8) / (1 << 24)
		dst[i] = float32((2*u - 1) * limit)
	}
}

// sgd and adadelta are here in their shortest form, so that this test needs nothing but nn.
func sgd(p Param, _ *[2][]float32) {
	for i, g := range p.Grad {
		p.Data[i] -= 0.01 * g
	}
}

// adadelta: M. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, with Keras's defaults of
// rho 0.95 and epsilon 1e-7, learning rate 1.
func adadelta(p Param, state *[2][]float32) {
	if state[0] == nil {
		*state = [2][]float32{make([]float32, len(p.Data)), make([]float32, len(p.Data))}
	}
	const rho, eps = 0.95, 1e-7
	for i, g := range p.Grad {
		sq := rho*state[0][i] + (1-rho)*g*g
		delta := float32(math.Sqrt(float64(state[1][i]+eps))/math.Sqrt(float64(sq+eps))) * g
		state[0][i], state[1][i] = sq, rho*state[1][i]+(1-rho)*delta*delta
		p.Data[i] -= delta
	}
}

// The lengths of the first gradients agree with PyTorch's from the same weights to 1e-4 relative, the first losses to 1e-3:
// a rounding that tips a ReLU over is enough for 1e-4 after some steps of Adadelta. testdata holds the
// script that made the golden file. The network with ReLU differs in one operator
// and gets two steps.
func TestLossesAgreeWithPyTorch(t *testing.T) {
	var golden struct {
		Height, Width, Classes, Batch int
		Runs                          map[string]struct {
			Losses []float64
			Norms  map[string]float64 `json:"first_gradient_norms"`
		}
	}
	b, err := os.ReadFile("testdata/golden_seed_resnet.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		run   string
		steps int
		rule  func(Param, *[2][]float32)
	}{
		{"seed-resnet/sgd", 10, sgd},
		{"seed-resnet/adadelta", 10, adadelta},
		{"seed-resnet-relu/sgd", 2, sgd},
	} {
		t.Run(c.run, func(t *testing.T) {
			if testing.Short() {
				c.steps = 2
			}
			arch, _, _ := strings.Cut(c.run, "/")
			want := golden.Runs[c.run]
			n, err := New(Config{Arch: arch, Channels: 3, Height: golden.Height, Width: golden.Width, Classes: golden.Classes, Batch: golden.Batch})
			if err != nil {
				t.Fatal(err)
			}
			params := n.Params()
			for _, p := range params {
				if len(p.Shape) > 1 {
					area := 1
					for _, s := range p.Shape[2:] {
						area *= s
					}
					fillHashed(p.Data, p.Name, math.Sqrt(6/float64((p.Shape[0]+p.Shape[1])*area)))
				}
			}
			state := make([][2][]float32, len(params))
			x, labels := make([]float32, golden.Batch*3*golden.Height*golden.Width), make([]int32, golden.Batch)
			worst := 0.0
			for step, loss := range want.Losses[:c.steps] {
				fillHashed(x, "x"+string(rune('0'+step)), 0.25) // the script's CONTRAST
				for i := range labels {
					labels[i] = int32(hashed("label"+string(rune('0'+step)), i) % uint32(golden.Classes))
				}
				got, err := n.Step(x, labels)
				if err != nil {
					t.Fatal(err)
				}
				diff := math.Abs(got.Loss-loss) / loss
				worst = max(worst, diff)
				if !(diff <= 1e-3) {
					t.Errorf("step %d: loss = %.7f, want %.7f (%.1e apart)", step, got.Loss, loss, diff)
				}
				for i, p := range params {
					if step == 0 {
						if norm := norm2(p.Grad); !(math.Abs(norm-want.Norms[p.Name]) <= 1e-4*want.Norms[p.Name]) {
							t.Errorf("%s: length of the first gradient = %.8g, want %.8g", p.Name, norm, want.Norms[p.Name])
						}
					}
					c.rule(p, &state[i])
				}
			}
			t.Logf("largest relative difference of %d losses: %.1e", c.steps, worst)
		})
	}
}

func norm2(v []float32) float64 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return math.Sqrt(s)
}
