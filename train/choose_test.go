package train

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/nn"
)

func TestChoose(t *testing.T) {
	var all []nn.Param
	for _, name := range []string{"conv1.weight", "conv1.bias", "layer1.0.conv1.weight", "fc.weight", "fc.bias"} {
		all = append(all, nn.Param{Name: name})
	}
	for _, c := range []struct{ freeze, scale, want string }{
		{"", "", "conv1.weight 1, conv1.bias 1, layer1.0.conv1.weight 1, fc.weight 1, fc.bias 1"},
		{"conv1.*, layer1.*", "", "fc.weight 1, fc.bias 1"},
		{"*.bias", "*=0.1,fc.*=10", "conv1.weight 0.1, layer1.0.conv1.weight 0.1, fc.weight 10"},
		{"layer?.[01].*,fc.bias", "conv1.*=2", "conv1.weight 2, conv1.bias 2, fc.weight 1"},
	} {
		params, scales, err := choose(Config{Freeze: c.freeze, RateScale: c.scale}, all)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i, p := range params {
			if i > 0 {
				got += ", "
			}
			got += fmt.Sprint(p.Name, " ", scales[i])
		}
		if got != c.want {
			t.Errorf("choose(%q, %q) = %s, want %s", c.freeze, c.scale, got, c.want)
		}
	}
}

// Frozen parameters keep their first values to the bit, also in the average, and the optimiser
// has no memory for them.
func TestFrozenParametersStay(t *testing.T) {
	o := usual(t)
	o.Epochs, o.Freeze, o.EMA = 1, "conv1.*,layer1.0.*", 0.9
	mustRun(t, o)
	net, err := nn.New(nn.Config{Arch: o.Arch, Channels: 3, Height: side, Width: side, Classes: 3, Batch: o.Batch, Seed: o.Seed})
	if err != nil {
		t.Fatal(err)
	}
	defer net.Close()
	frozen := func(name string) bool {
		return strings.HasPrefix(name, "conv1.") || strings.HasPrefix(name, "layer1.0.")
	}
	for _, file := range []string{weightsName, averageName} {
		for i, a := range weightsOf(t, o.Out, file) {
			if got, want := slices.Equal(a.Data, net.Params()[i].Data), frozen(a.Name); got != want {
				t.Errorf("%s: %s stayed: %v, want %v", file, a.Name, got, want)
			}
		}
	}
	for _, a := range weightsOf(t, o.Out, optimizerName) {
		if _, name, _ := strings.Cut(a.Name, "."); frozen(name) {
			t.Errorf("the optimiser remembers %s, which is frozen", a.Name)
		}
	}
}

// With gradients of the same start the first step of a scaled parameter is so many times as long.
func TestScaledStep(t *testing.T) {
	o := usual(t)
	o.Epochs, o.MaxSteps, o.Optimizer, o.LearningRate = 1, 1, sgd, 0.5
	mustRun(t, o)
	p := o.in(t)
	p.LearningRate, p.RateScale = 0.0625, "*=8,layer1.1.*=16" // powers of two round nothing
	mustRun(t, p)
	got, want := weightsOf(t, p.Out, weightsName), weightsOf(t, o.Out, weightsName)
	for i := range want {
		same := slices.Equal(got[i].Data, want[i].Data)
		if scaled := strings.HasPrefix(want[i].Name, "layer1.1."); same == scaled {
			t.Errorf("%s moved as at rate 0.5: %v, want %v", want[i].Name, same, !scaled)
		}
	}
}
