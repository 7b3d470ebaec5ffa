package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vf2prep/vf2prep/nn"
)

// people gives every sample but each third an age and a gender that go with its class.
func people(p part) part {
	for i := range p.samples {
		if s := &p.samples[i]; i%3 > 0 {
			s.Age, s.Gender = float32(20+25*s.Label), int8(s.Label%2)
		}
	}
	return p
}

func peopled(t *testing.T) Options {
	o := usual(t)
	o.Shards = makeShards(t, filepath.Join(t.TempDir(), "people"), 3, people(faces("train", 3, 36)), people(faces("val", 3, 18)))
	return o
}

func TestHeadsLearnTogether(t *testing.T) {
	o := peopled(t)
	o.Heads, o.Epochs, o.Embedding, o.EmbeddingBias, o.LabelSmoothing = "identity,gender=0.5,age=0.5", 12, 8, true, 0.05
	r := mustRun(t, o)
	if *r.ValTop1 < 0.8 || *r.ValGender < 0.8 || !(*r.ValAge < 15) {
		t.Errorf("top-1 %v, gender %v, age %v years off; want more than 0.8 each and less than 15", *r.ValTop1, *r.ValGender, *r.ValAge)
	}
	p, err := OpenRun(o.Out, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Width() != 8 {
		t.Errorf("embedding of %d numbers, want 8", p.Width())
	}

	// Ages by ranks, with nothing known of identities.
	o = o.in(t)
	o.Heads, o.Embedding = "age-rank", 0
	if r := mustRun(t, o); !(*r.ValAge < 15) || *r.ValTop1 != 0 {
		t.Errorf("age %v years off, top-1 %v; want less than 15 and none", *r.ValAge, *r.ValTop1)
	}
}

// A mapping is trained alone on the features of a network that was trained before.
func TestTripletMappingAlone(t *testing.T) {
	first := usual(t)
	first.Arch = "resnet18"
	first.Optimizer, first.LearningRate, first.Epochs = sgd, 0.01, 1
	mustRun(t, first)
	o := first.in(t)
	o.Init = filepath.Join(first.Out, BestName)
	o.Heads, o.Embedding, o.Mining = "triplet", 4, "hard"
	o.Freeze = "conv1.*,bn1.*,layer*"
	o.Epochs = 2
	mustRun(t, o)
	before, after := everyWeight(t, first.Out), everyWeight(t, o.Out)
	for name, w := range before {
		got, ok := after[name]
		switch {
		case strings.HasPrefix(name, "fc."):
			if ok {
				t.Errorf("%s is there without its head", name)
			}
		case !equalBits(got, w):
			t.Errorf("%s changed, running statistics included; it is frozen", name)
		}
	}
	if len(after["embedding.weight"]) == 0 || len(after["embedding.bias"]) != 0 {
		t.Errorf("embedding of %d weights and %d biases, want some and none", len(after["embedding.weight"]), len(after["embedding.bias"]))
	}
	rec, err := ReadRecord(o.Out)
	if err != nil || strings.Join(rec.Fresh, " ") != "embedding.weight" || rec.Inputs.Init == "" {
		t.Errorf("record: fresh %v, first weights %q, error %v; want the embedding and a digest", rec.Fresh, rec.Inputs.Init, err)
	}
	// Going on needs the same first weights.
	o.Init, o.Epochs = "", 3
	if _, err := Run(context.Background(), o); !errors.Is(err, ErrOtherRun) {
		t.Errorf("without the first weights: error %v, want ErrOtherRun", err)
	}
}

func everyWeight(t *testing.T, run string) map[string][]float32 {
	t.Helper()
	p, err := OpenRun(run, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out := map[string][]float32{}
	for _, w := range append(p.net.Params(), p.net.Statistics()...) {
		out[w.Name] = w.Data
	}
	return out
}

func equalBits(a, b []float32) bool {
	for i := range b {
		if len(a) != len(b) || math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// Batch normalisation's running statistics survive an interruption.
func TestLargerNetworksResume(t *testing.T) {
	for _, arch := range []string{"resnet18", "senet50"} {
		o := five(t)
		o.Arch, o.Optimizer, o.LearningRate, o.Momentum, o.Epochs = arch, sgd, 0.01, 0.9, 1
		mustRun(t, o)
		want := outcome(t, o.Out)
		p := o.in(t)
		p.Threads = 2
		runInterrupted(t, p, 4)
		equal(t, arch, outcome(t, p.Out), want)
	}
}

func TestHeadsAreChecked(t *testing.T) {
	good := usual(t)
	for says, spoil := range map[string]func(o *Options){
		`no head "mood"; known are identity`:   func(o *Options) { o.Heads = "mood" },
		"weight \"-1\", want a number above 0": func(o *Options) { o.Heads = "identity=-1" },
		"heads age and age-rank: want one":     func(o *Options) { o.Heads = "age,age-rank" },
		"has a label for head age":             func(o *Options) { o.Heads = "identity,age" },
		"label smoothing is 1, want 0 to":      func(o *Options) { o.LabelSmoothing = 1 },
		"dropout is -0.5, want 0 to":           func(o *Options) { o.Dropout = -0.5 },
		`mining is "soft", want all`:           func(o *Options) { o.Heads, o.Mining = "triplet", "soft" },
		"no such file":                         func(o *Options) { o.Init = filepath.Join(t.TempDir(), "none") },
	} {
		o := good.in(t)
		spoil(&o)
		if _, err := Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Run = %v, want %q in it", err, says)
		}
		if exists(o.Out) {
			t.Errorf("%s: left a run directory behind", says)
		}
	}
	o := good.in(t)
	first := good.in(t)
	first.Arch = "resnet18"
	first.Epochs = 1
	mustRun(t, first)
	o.Init = filepath.Join(first.Out, BestName)
	if _, err := Run(context.Background(), o); !errors.Is(err, nn.ErrMismatch) || !strings.Contains(err.Error(), "layer4.1.bn2.running_var is unknown to seed-resnet-relu") {
		t.Errorf("first weights of another network: %v, want nn.ErrMismatch and what does not fit", err)
	}
}
