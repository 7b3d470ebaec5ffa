package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/train"
)

func (e *env) trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "fit a network to a shard set",
		Description: `Learns to name the identities of the part "train" and validates on the whole part "val" after
each epoch. The run directory gets run.json, metrics.jsonl, TensorBoard events, curves.png, the
weights with the smallest validation loss (best.safetensors), and checkpoints.

Running the same command again goes on where the run stopped, in mid-epoch too, and ends with the
very weights of a run that was never stopped. More --epochs prolong a run; any other difference
is refused unless --restart throws the run away.

Examples:
  vf2prep train --shards shards/ --arch seed-resnet-relu --optimizer adadelta --batch 4 --epochs 9 --seed 1 --out runs/first
  vf2prep train --shards shards/ --optimizer sgd --learning-rate 0.05 --weight-decay 5e-4 --batch 32 --epochs 30 --augment flip=0.5 --out runs/sgd
  vf2prep train --shards shards/ --optimizer adam --schedule cosine --warmup 500 --ema 0.999 --batch 16 --accumulate 4 --epochs 30 --out runs/adam
  vf2prep train --shards shards/ --sampler identity --identities 8 --images 4 --epochs 30 --out runs/balanced
  vf2prep train --config runs/first.yaml --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote", Required: true},
			&cli.StringFlag{Name: "out", Usage: "run `DIR`", Required: true},
			&cli.StringFlag{Name: "arch", Value: "seed-resnet-relu", Usage: "network: see model summary"},
			&cli.StringFlag{Name: "optimizer", Value: "adadelta", Usage: "adadelta, adam or sgd"},
			&cli.Float64Flag{Name: "learning-rate", Aliases: []string{"lr"}, Usage: "factor of every step", DefaultText: "1 for adadelta, 0.001 for adam, 0.01 for sgd"},
			&cli.Float64Flag{Name: "momentum", Value: 0.9, Usage: "sgd: share of the last step that goes on"},
			&cli.Float64Flag{Name: "weight-decay", Usage: "share of a weight that is added to its gradient; never of a bias"},
			&cli.Float64Flag{Name: "rho", Value: 0.95, Usage: "adadelta: share of its running means that stays each step"},
			&cli.Float64Flag{Name: "beta1", Value: 0.9, Usage: "adam: share of its running mean of gradients that stays each step"},
			&cli.Float64Flag{Name: "beta2", Value: 0.999, Usage: "adam: share of its running mean of squared gradients that stays each step"},
			&cli.Float64Flag{Name: "epsilon", Usage: "adadelta: added under its roots; adam: added to its root", DefaultText: "1e-7 for adadelta, 1e-8 for adam"},
			&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "of the learning rate: constant, step (falls after --milestones), cosine (to --min-lr at the end) or plateau (falls where validation stalls)"},
			&cli.IntFlag{Name: "warmup", Usage: "steps in which the learning rate grows evenly to the schedule's", DefaultText: "none"},
			&cli.StringFlag{Name: "milestones", Usage: "schedule step: the rate falls after these `EPOCHS`, such as 3,6", DefaultText: "none"},
			&cli.Float64Flag{Name: "gamma", Usage: "schedules step and plateau: factor of the rate at each fall", DefaultText: "0.1"},
			&cli.Float64Flag{Name: "min-lr", Usage: "schedule cosine: learning rate at the end", DefaultText: "0"},
			&cli.IntFlag{Name: "plateau-patience", Usage: "schedule plateau: epochs without a smaller validation loss before the rate falls", DefaultText: "3"},
			&cli.IntFlag{Name: "plateau-drops", Usage: "schedule plateau: times that the rate falls at most", DefaultText: "2"},
			&cli.IntFlag{Name: "accumulate", Value: 1, Usage: "batches whose gradients make one update of the weights; the last update of an epoch may take fewer"},
			&cli.Float64Flag{Name: "clip-norm", Usage: "greatest length of the gradient, all parameters taken as one vector", DefaultText: "no limit"},
			&cli.Float64Flag{Name: "ema", Usage: "validate and keep a running mean of the weights; share of it that stays each update, such as 0.999", DefaultText: "none"},
			&cli.StringFlag{Name: "freeze", Usage: "`PATTERNS` of parameters that stay as they are, such as 'conv1.*,layer1.*'; for names see model summary", DefaultText: "none"},
			&cli.StringFlag{Name: "lr-scale", Usage: "`FACTORS` of the learning rate by patterns of parameters, such as 'fc.*=10'; the last that matches counts", DefaultText: "1 for each"},
			&cli.StringFlag{Name: "init", Usage: "begin with the weights of `FILE`, safetensors with PyTorch's names; heads of another shape keep the seed's", DefaultText: "the seed's"},
			&cli.StringFlag{Name: "heads", Usage: "what is learnt, with weights of the losses: identity, gender, age, age-rank, triplet, such as identity,gender=0.3,age=0.3", DefaultText: "identity"},
			&cli.IntFlag{Name: "embedding", Usage: "width of a fully connected layer before the heads", DefaultText: "none"},
			&cli.BoolFlag{Name: "embedding-bias", Usage: "give that layer a bias"},
			&cli.Float64Flag{Name: "alpha", Usage: "head triplet: margin between squared distances of features of length 1", DefaultText: "0.2"},
			&cli.StringFlag{Name: "mining", Usage: "head triplet: which triplets of a batch count: all, semi-hard or hard", DefaultText: "semi-hard"},
			&cli.Float64Flag{Name: "label-smoothing", Usage: "share of an identity's label that is spread over all identities"},
			&cli.Float64Flag{Name: "dropout", Usage: "vgg16: share of features that training drops before each fully connected layer but the first"},
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "images a step; of sampler identity: identities x images"},
			&cli.IntFlag{Name: "epochs", Value: 9, Usage: "times through the part train; may grow when a run goes on, but for schedule cosine"},
			&cli.IntFlag{Name: "max-steps", Usage: "end after so many steps in all", DefaultText: "no limit"},
			&cli.IntFlag{Name: "patience", Usage: "end after so many epochs without a smaller validation loss; of schedule plateau: after its last fall", DefaultText: "never"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the first weights, the order and the augmentation"},
			&cli.StringFlag{Name: "augment", Usage: "random changes to training images, such as flip=0.5,crop=104x104,monochrome=0.2", DefaultText: "none"},
			&cli.StringFlag{Name: "sampler", Value: "shuffled", Usage: "order of an epoch: shuffled, chunks (slow disks), sequential or identity"},
			&cli.IntFlag{Name: "identities", Usage: "sampler identity: identities of a batch", DefaultText: "none"},
			&cli.IntFlag{Name: "images", Usage: "sampler identity: images of each of them", DefaultText: "none"},
			&cli.IntFlag{Name: "log-every", Value: 10, Usage: "steps that a line of metrics.jsonl sums up"},
			&cli.IntFlag{Name: "checkpoint-every", Usage: "steps of an epoch between checkpoints, besides those by time", DefaultText: "by time only"},
			&cli.DurationFlag{Name: "checkpoint-interval", Value: time.Minute, Usage: "time between checkpoints; negative for none by time"},
			&cli.IntFlag{Name: "replicas", Value: 1, Usage: "batches of an update, see --accumulate, that are learnt from at once: less waiting on several cores, more memory; never changes the outcome"},
			&cli.IntFlag{Name: "threads", Usage: "never changes the outcome", DefaultText: "one per core"},
			&cli.BoolFlag{Name: "restart", Usage: "throw away the run that --out holds"},
		},
		Action: e.train,
	}
}

func (e *env) train(c *cli.Context) error {
	batch := c.Int("batch")
	if c.String("sampler") == "identity" && !c.IsSet("batch") {
		batch = 0 // identities x images
	}
	r, err := train.Run(c.Context, train.Options{
		Shards: c.String("shards"), Out: c.String("out"),
		Config: train.Config{
			Arch: c.String("arch"), Optimizer: c.String("optimizer"), LearningRate: c.Float64("learning-rate"),
			Momentum: c.Float64("momentum"), WeightDecay: c.Float64("weight-decay"),
			Rho: c.Float64("rho"), Epsilon: c.Float64("epsilon"), Beta1: c.Float64("beta1"), Beta2: c.Float64("beta2"),
			Schedule: c.String("schedule"), Warmup: c.Int("warmup"), Milestones: c.String("milestones"), Gamma: c.Float64("gamma"),
			MinRate: c.Float64("min-lr"), PlateauPatience: c.Int("plateau-patience"), PlateauDrops: c.Int("plateau-drops"),
			Accumulate: c.Int("accumulate"), ClipNorm: c.Float64("clip-norm"), EMA: c.Float64("ema"),
			Freeze: c.String("freeze"), RateScale: c.String("lr-scale"),
			Heads: c.String("heads"), Embedding: c.Int("embedding"), EmbeddingBias: c.Bool("embedding-bias"),
			Alpha: c.Float64("alpha"), Mining: c.String("mining"), LabelSmoothing: c.Float64("label-smoothing"), Dropout: c.Float64("dropout"),
			Batch: batch, Epochs: c.Int("epochs"), MaxSteps: c.Int("max-steps"), Patience: c.Int("patience"),
			LogEvery: c.Int("log-every"), Seed: c.Uint64("seed"), Augment: c.String("augment"),
			Sampler: c.String("sampler"), Identities: c.Int("identities"), Images: c.Int("images"),
		},
		Init: c.String("init"), CheckpointEvery: c.Int("checkpoint-every"), CheckpointInterval: c.Duration("checkpoint-interval"),
		Replicas: c.Int("replicas"), Threads: c.Int("threads"), Restart: c.Bool("restart"),
		Command: commandLine(c), Progress: e.progress(c),
	})
	if errors.Is(err, train.ErrDiverged) {
		e.hint(c, "a smaller --learning-rate with --restart, or another --out")
	}
	if errors.Is(err, train.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if r.Classes > 0 {
		e.hint(c, "run \"vf2prep eval identify --run %s --shards %s\"", r.Run, c.String("shards"))
	}
	return e.result(c, r, func(w io.Writer) { printRun(w, r) })
}

func printRun(w io.Writer, r *train.Result) {
	switch {
	case r.AlreadyFinished:
		fmt.Fprintf(w, "%s was finished already: nothing left to do\n", r.Run)
	case r.ResumedAt > 0:
		fmt.Fprintf(w, "%s went on at step %d\n", r.Run, r.ResumedAt)
	}
	fmt.Fprintf(w, "trained   %d epochs, %d steps, %d images of %d classes, %d parameters\n", r.Epochs, r.Steps, r.TrainImages, r.Classes, r.Parameters)
	if r.Stopped != "" {
		fmt.Fprintf(w, "ended     early: %s\n", r.Stopped)
	}
	fmt.Fprintf(w, "speed     %.0f images/s, %.1f %% of it waiting for images, %.0f s in all\n", r.ImagesPerSec, 100*r.Starved, r.Seconds)
	named := r.Classes > 0 // else there is no share of right identities
	fmt.Fprintf(w, "train     loss %.4f", r.TrainLoss)
	if named {
		fmt.Fprintf(w, ", accuracy %.1f %%", 100*r.TrainTop1)
	}
	fmt.Fprintln(w)
	if r.BestEpoch != nil {
		fmt.Fprintf(w, "val       loss %.4f", *r.ValLoss)
		if named {
			fmt.Fprintf(w, ", top-1 %.1f %%, top-5 %.1f %%", 100**r.ValTop1, 100**r.ValTop5)
		}
		fmt.Fprintf(w, " of %d images, after epoch %d\n", r.ValImages, *r.BestEpoch)
		if r.ValGender != nil {
			fmt.Fprintf(w, "          gender %.1f %%\n", 100**r.ValGender)
		}
		if r.ValAge != nil {
			fmt.Fprintf(w, "          age %.2f years off in the mean\n", *r.ValAge)
		}
	} else {
		fmt.Fprintln(w, "val       no image with a label: the newest weights are kept")
	}
	fmt.Fprintf(w, "weights   %s\n", r.Checkpoint)
}

// commandLine writes a command as it would be typed without its configuration file: every flag
// that was set, by name.
func commandLine(c *cli.Context) []string {
	out := []string{c.App.Name, c.Command.FullName()}
	flags := c.LocalFlagNames()
	slices.Sort(flags)
	for _, name := range slices.Compact(flags) {
		switch name {
		case "json", "quiet", "q", "config", "restart", "lr":
			continue
		}
		out = append(out, fmt.Sprintf("--%s=%v", name, c.Value(name)))
	}
	return out
}
