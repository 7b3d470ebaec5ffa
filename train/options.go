package train

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/loader"
)

// ErrOption says that an option makes no sense, alone or with the data.
var ErrOption = errors.New("wrong option")

// Options says what to train on what and how. See [Config] for those that decide the outcome.
type Options struct {
	Shards string // directory of a shard set with a part "train" and, better, a part "val"
	Out    string // run directory; made where missing
	Config

	CheckpointEvery    int           // steps between checkpoints; 0: by time only
	CheckpointInterval time.Duration // at most this long between checkpoints; 0: 60 s, < 0: by steps only
	Init               string        // weights to begin with, a safetensors file with PyTorch's names; "": the seed's
	Replicas           int           // batches of an update that are learnt from at once, at most Accumulate; 0: 1; never changes the outcome
	Threads            int           // 0: GOMAXPROCS, which any other number sets while Run lasts; never changes the outcome
	Restart            bool          // forget what the run directory holds and begin anew
	Command            []string      // the command line, for run.json
	Progress           progress.Reporter
}

// Config is the part of the options that decides the weights; it is kept in run.json, and a run
// goes on only with the same.
type Config struct {
	Arch         string  `json:"arch"`
	Optimizer    string  `json:"optimizer"`          // "adadelta", "adam" or "sgd"
	LearningRate float64 `json:"learning_rate"`      // 0: the optimiser's usual one
	Momentum     float64 `json:"momentum,omitempty"` // sgd, as a share of the last update
	WeightDecay  float64 `json:"weight_decay"`       // added to the gradient, times the weight
	Rho          float64 `json:"rho,omitempty"`      // adadelta: decay of its two running means; 0: 0.95
	Epsilon      float64 `json:"epsilon,omitempty"`  // adadelta: added under its roots, 0: 1e-7; adam: added to its root, 0: 1e-8
	Beta1        float64 `json:"beta1,omitempty"`    // adam: decay of its running mean of gradients; 0: 0.9
	Beta2        float64 `json:"beta2,omitempty"`    // adam: of squared gradients; 0: 0.999

	Schedule        string  `json:"schedule,omitempty"`         // of the learning rate: "" (constant), "step", "cosine" or "plateau"
	Warmup          int     `json:"warmup,omitempty"`           // steps in which the rate grows to the schedule's
	Milestones      string  `json:"milestones,omitempty"`       // step: epochs after which the rate falls, "3,6"
	Gamma           float64 `json:"gamma,omitempty"`            // step, plateau: factor of each fall; 0: 0.1
	MinRate         float64 `json:"min_lr,omitempty"`           // cosine: the rate it ends with
	PlateauPatience int     `json:"plateau_patience,omitempty"` // plateau: falls after so many epochs without a smaller validation loss; 0: 3
	PlateauDrops    int     `json:"plateau_drops,omitempty"`    // plateau: falls so often; 0: twice

	Accumulate int     `json:"accumulate,omitempty"` // batches that the weights change after; 0: each
	ClipNorm   float64 `json:"clip_norm,omitempty"`  // longest gradient, all parameters taken as one vector; 0: any
	EMA        float64 `json:"ema,omitempty"`        // decay of the running mean of the weights, which is kept instead of them; 0: none
	Freeze     string  `json:"freeze,omitempty"`     // patterns of parameters that stay as they are, "conv1.*,layer1.*"
	RateScale  string  `json:"lr_scale,omitempty"`   // factors of the learning rate by pattern, "fc.*=10"

	Heads          string  `json:"heads,omitempty"`           // as nn.ParseHeads reads it; "": identity
	Embedding      int     `json:"embedding,omitempty"`       // width of a fully connected layer before the heads; 0: none
	EmbeddingBias  bool    `json:"embedding_bias,omitempty"`  // of that layer
	Alpha          float64 `json:"alpha,omitempty"`           // the triplet loss's margin; 0: 0.2
	Mining         string  `json:"mining,omitempty"`          // which triplets count; "": semi-hard
	LabelSmoothing float64 `json:"label_smoothing,omitempty"` // share of a label that is spread over all classes
	Dropout        float64 `json:"dropout,omitempty"`         // share of features that training drops, in networks with a place for it

	Batch      int    `json:"batch"`     // images a step
	Epochs     int    `json:"epochs"`    // may grow from run to run
	MaxSteps   int    `json:"max_steps"` // end after so many steps in all; 0: no limit
	Patience   int    `json:"patience"`  // end after so many epochs without a smaller validation loss; 0: never
	LogEvery   int    `json:"log_every"` // steps that a line of metrics sums up; 0: 10
	Seed       uint64 `json:"seed"`
	Augment    string `json:"augment"`              // as augment.Parse reads it
	Sampler    string `json:"sampler"`              // the order of an epoch, as package loader names it; "": shuffled
	Identities int    `json:"identities,omitempty"` // of a batch of sampler identity
	Images     int    `json:"images,omitempty"`     // of each of these
}

const (
	adadelta = "adadelta"
	adam     = "adam"
	sgd      = "sgd"
)

// The usual learning rates: Keras's Adadelta (Zeiler 2012 has no rate, which is 1), PyTorch's Adam,
// and 0.01 for SGD with momentum, with which VGG-Face began.
var usualRate = map[string]float64{adadelta: 1, adam: 0.001, sgd: 0.01}

var usualEpsilon = map[string]float64{adadelta: 1e-7, adam: 1e-8}

// settle puts the usual value in the place of 0, and 0 where an option is without use: what
// nothing reads is no difference between two configurations.
func settle[T int | float64](option *T, used bool, value T) {
	if !used {
		*option = 0
	} else if *option == 0 {
		*option = value
	}
}

// list cuts a text into its words between commas.
func list(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	words := strings.Split(text, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return words
}

// complete fills in what was left at zero and checks the rest. Errors wrap [ErrOption].
func (o *Options) complete() error {
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = time.Minute
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Replicas == 0 {
		o.Replicas = 1
	}
	if o.LogEvery == 0 {
		o.LogEvery = 10
	}
	if o.Sampler == "" {
		o.Sampler = string(loader.Shuffled)
	}
	if o.Batch == 0 && o.Sampler == string(loader.Identity) {
		if o.Identities < 1 || o.Images < 1 || o.Identities > math.MaxInt32/o.Images {
			return fmt.Errorf("%w: %d identities x %d images a batch, want at least 1 of each", ErrOption, o.Identities, o.Images)
		}
		o.Batch = o.Identities * o.Images
	}
	if _, ok := usualRate[o.Optimizer]; !ok {
		return fmt.Errorf("%w: optimizer %q, want %s, %s or %s", ErrOption, o.Optimizer, adadelta, adam, sgd)
	}
	settle(&o.LearningRate, true, usualRate[o.Optimizer])
	settle(&o.Momentum, o.Optimizer == sgd, 0)
	settle(&o.Rho, o.Optimizer == adadelta, 0.95)
	settle(&o.Beta1, o.Optimizer == adam, 0.9)
	settle(&o.Beta2, o.Optimizer == adam, 0.999)
	settle(&o.Epsilon, o.Optimizer != sgd, usualEpsilon[o.Optimizer])
	if err := o.completeSchedule(); err != nil {
		return err
	}
	if o.Accumulate == 1 {
		o.Accumulate = 0
	}
	o.Freeze = strings.Join(list(o.Freeze), ",")
	o.RateScale = strings.Join(list(o.RateScale), ",")
	for _, c := range []struct {
		name  string
		value float64
		ok    bool
		want  string
	}{
		{"learning rate", o.LearningRate, o.LearningRate > 0, "more than 0"},
		{"momentum", o.Momentum, o.Momentum >= 0 && o.Momentum < 1, "0 to less than 1"},
		{"weight decay", o.WeightDecay, o.WeightDecay >= 0, "0 or more"},
		{"rho", o.Rho, o.Rho >= 0 && o.Rho < 1, "0 to less than 1"},
		{"beta1", o.Beta1, o.Beta1 >= 0 && o.Beta1 < 1, "0 to less than 1"},
		{"beta2", o.Beta2, o.Beta2 >= 0 && o.Beta2 < 1, "0 to less than 1"},
		{"epsilon", o.Epsilon, o.Epsilon >= 0, "more than 0"},
		{"warmup", float64(o.Warmup), o.Warmup >= 0, "0 (none) or more"},
		{"gamma", o.Gamma, o.Gamma >= 0 && o.Gamma < 1, "more than 0 and less than 1"},
		{"min lr", o.MinRate, o.MinRate >= 0 && o.MinRate < o.LearningRate, "0 to less than the learning rate"},
		{"plateau patience", float64(o.PlateauPatience), o.PlateauPatience >= 0, "1 or more"},
		{"plateau drops", float64(o.PlateauDrops), o.PlateauDrops >= 0, "1 or more"},
		{"accumulate", float64(o.Accumulate), o.Accumulate >= 0, "1 or more"},
		{"replicas", float64(o.Replicas), o.Replicas >= 1 && o.Replicas <= max(o.Accumulate, 1),
			"1 to accumulate, the batches of an update"},
		{"clip norm", o.ClipNorm, o.ClipNorm >= 0, "0 (any) or more"},
		{"ema", o.EMA, o.EMA >= 0 && o.EMA < 1, "0 (none) to less than 1"},
		{"batch", float64(o.Batch), o.Batch > 0, "1 or more"},
		{"epochs", float64(o.Epochs), o.Epochs > 0, "1 or more"},
		{"max steps", float64(o.MaxSteps), o.MaxSteps >= 0, "0 (no limit) or more"},
		{"patience", float64(o.Patience), o.Patience >= 0, "0 (never) or more"},
		{"log every", float64(o.LogEvery), o.LogEvery > 0, "1 or more"},
		{"checkpoint every", float64(o.CheckpointEvery), o.CheckpointEvery >= 0, "0 (by time) or more"},
	} {
		if !c.ok || math.IsInf(c.value, 0) {
			return fmt.Errorf("%w: %s is %v, want %s", ErrOption, c.name, c.value, c.want)
		}
	}
	if o.Out == "" || o.Shards == "" {
		return fmt.Errorf("%w: shards %q, out %q: both are needed", ErrOption, o.Shards, o.Out)
	}
	return nil
}
