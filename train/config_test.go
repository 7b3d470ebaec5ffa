package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// variants are the options that change how weights move, one by one and together. The stops of
// the tests below lie in mid-epoch and, with accumulation, in the middle of a group.
var variants = map[string]func(*Options){
	"adam":       func(o *Options) { o.Optimizer, o.WeightDecay = adam, 1e-3 },
	"step":       func(o *Options) { o.Schedule, o.Milestones = stepped, "1,2" },
	"cosine":     func(o *Options) { o.Schedule, o.MinRate = cosine, 0.01 },
	"warmup":     func(o *Options) { o.Warmup = 7 },
	"plateau":    func(o *Options) { o.Schedule, o.PlateauPatience, o.Optimizer, o.LearningRate = plateau, 1, sgd, 1e-30 }, // stalls at once
	"accumulate": func(o *Options) { o.Accumulate = 2 },
	"clip":       func(o *Options) { o.ClipNorm = 0.5 },
	"ema":        func(o *Options) { o.EMA = 0.9 },
	"freeze":     func(o *Options) { o.Freeze = "conv1.*,layer1.*" },
	"scale":      func(o *Options) { o.RateScale = "fc.*=3" },
	"smoothing":  func(o *Options) { o.LabelSmoothing = 0.1 },
	"embedding":  func(o *Options) { o.Embedding, o.EmbeddingBias = 6, true },
	"together": func(o *Options) {
		o.Optimizer, o.Schedule, o.Warmup, o.Accumulate, o.ClipNorm = adam, cosine, 2, 3, 1
		o.EMA, o.Freeze, o.RateScale = 0.99, "conv1.*", "*=0.5,fc.*=10"
	},
}

// five is a run of five steps an epoch, the last of two images, as are all.
func five(t *testing.T) Options {
	o := usual(t)
	o.Batch, o.LogEvery = 2, 1
	return o
}

// Every option does something, survives interruptions, and is held against run.json.
func TestVariants(t *testing.T) {
	plain := five(t)
	mustRun(t, plain)
	without := outcome(t, plain.Out)
	for name, change := range variants {
		t.Run(name, func(t *testing.T) {
			o := plain.in(t)
			change(&o)
			mustRun(t, o)
			want := outcome(t, o.Out)
			if want[weightsName] == without[weightsName] && want[BestName] == without[BestName] {
				t.Error("the weights are those of a run without it")
			}
			p := o.in(t)
			p.Threads = 2
			runInterrupted(t, p, 2)
			equal(t, "interrupted", outcome(t, p.Out), want)

			o.Config = plain.Config
			if _, err := Run(context.Background(), o); !errors.Is(err, ErrOtherRun) {
				t.Errorf("goes on without it: error %v, want ErrOtherRun", err)
			}
		})
	}
}

// The record of a run that uses none of the later options is the one that was written before there
// were any, so runs from then go on.
func TestPlainRecordsNameNoLaterOption(t *testing.T) {
	o := usual(t)
	o.Epochs, o.Schedule, o.Accumulate = 1, constant, 1
	mustRun(t, o)
	text, err := os.ReadFile(filepath.Join(o.Out, RecordName))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"beta1", "beta2", "schedule", "warmup", "milestones", "gamma", "min_lr", "plateau_patience", "plateau_drops",
		"accumulate", "clip_norm", "ema", "freeze", "lr_scale",
	} {
		if strings.Contains(string(text), `"`+name+`"`) {
			t.Errorf("%s names %s:\n%s", RecordName, name, text)
		}
	}
	o.Schedule, o.Accumulate = "", 0
	if r := mustRun(t, o); !r.AlreadyFinished {
		t.Error("the run was not found finished")
	}
}

func TestVariantsAreChecked(t *testing.T) {
	good := usual(t)
	for says, spoil := range map[string]func(o *Options){
		"beta1 is 1, want 0 to less":              func(o *Options) { o.Optimizer, o.Beta1 = adam, 1 },
		"beta2 is -0.1, want 0 to":                func(o *Options) { o.Optimizer, o.Beta2 = adam, -0.1 },
		`schedule "linear", want constant, step`:  func(o *Options) { o.Schedule = "linear" },
		"warmup is -1, want 0":                    func(o *Options) { o.Warmup = -1 },
		"schedule step without milestones":        func(o *Options) { o.Schedule = stepped },
		`milestones "3,2", want epochs`:           func(o *Options) { o.Schedule, o.Milestones = stepped, "3,2" },
		`milestones "0", want epochs`:             func(o *Options) { o.Schedule, o.Milestones = stepped, "0" },
		`milestones "x", want epochs`:             func(o *Options) { o.Schedule, o.Milestones = stepped, "x" },
		"gamma: only for schedule step or pl":     func(o *Options) { o.Schedule, o.Gamma = cosine, 0.1 },
		"gamma is 1, want more than 0":            func(o *Options) { o.Schedule, o.Gamma = plateau, 1 },
		"min lr: only for schedule cosine":        func(o *Options) { o.MinRate = 0.1 },
		"min lr is 2, want 0 to less than the":    func(o *Options) { o.Schedule, o.MinRate = cosine, 2 },
		"plateau patience: only for":              func(o *Options) { o.PlateauPatience = 1 },
		"plateau drops is -1, want 1":             func(o *Options) { o.Schedule, o.PlateauDrops = plateau, -1 },
		"accumulate is -2, want 1":                func(o *Options) { o.Accumulate = -2 },
		"replicas is 3, want 1 to accumulate":     func(o *Options) { o.Accumulate, o.Replicas = 2, 3 },
		"replicas is -1, want 1":                  func(o *Options) { o.Replicas = -1 },
		"clip norm is -1, want 0":                 func(o *Options) { o.ClipNorm = -1 },
		"ema is 1, want 0":                        func(o *Options) { o.EMA = 1 },
		`freeze: pattern "conv9.*" matches none`:  func(o *Options) { o.Freeze = "conv1.*, conv9.*" },
		"of the parameters: conv1.weight, conv1.": func(o *Options) { o.Freeze = "stem" },
		`freeze: pattern "[": syntax error`:       func(o *Options) { o.Freeze = "[" },
		"freeze: * leaves no parameter":           func(o *Options) { o.Freeze = "*" },
		`lr scale: pattern "head" matches none`:   func(o *Options) { o.RateScale = "head=2" },
		`lr scale: "fc.*", want a pattern and`:    func(o *Options) { o.RateScale = "fc.*" },
		`lr scale: "fc.*=0", want a pattern`:      func(o *Options) { o.RateScale = "fc.*=0" },
	} {
		o := good
		spoil(&o)
		refused(t, o, ErrOption, says)
	}
	good.Shards = makeShards(t, filepath.Join(t.TempDir(), "s"), 3, faces("train", 3, 10))
	good.Schedule = plateau
	refused(t, good, ErrOption, "schedule plateau", "no labelled part val")
	if exists(good.Out) {
		t.Error("a refused run made its directory")
	}
}
