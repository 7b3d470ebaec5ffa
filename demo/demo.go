// Package demo does the whole job on a drawn data set: synth, manifest, split, cache, train and
// both evaluations, each by the same code that the commands call.
//
// It is for people in their first minute; it knows nothing that a user could not type.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/split"
	"github.com/vf2prep/vf2prep/synth"
	"github.com/vf2prep/vf2prep/train"
)

// Options say how large the demonstration is.
type Options struct {
	Out        string // directory for everything; what is there is gone on with
	Identities int    // drawn people, a sixth of them for testing
	Images     int    // of each
	Val        int    // of each train identity's images, how many validate
	Size       string // of a sample, rows x columns
	Batch      int
	Epochs     int
	Seed       uint64
	Log        io.Writer // one line a step with the command that does the same; nil: none
	Progress   progress.Reporter
}

// Result is what came out. It is printed as one flat object.
type Result struct {
	Images               int     `json:"images"`
	Samples              int     `json:"samples"`
	CacheImagesPerSecond float64 `json:"cache_images_per_second"`
	TrainImagesPerSecond float64 `json:"train_images_per_second"`
	Top1                 float64 `json:"top1"`
	Top5                 float64 `json:"top5"`
	Chance               float64 `json:"chance"`
	EER                  float64 `json:"eer"`
	AUC                  float64 `json:"auc"`
	Seconds              float64 `json:"seconds"`
	Report               string  `json:"report"`
}

// Run does the job. Interrupted and run again with the same options, it goes on.
func Run(ctx context.Context, o Options) (*Result, error) {
	start := time.Now()
	if o.Log == nil {
		o.Log = io.Discard
	}
	at := func(name string) string { return filepath.Join(o.Out, name) }
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	root, file, lists, shards, run := at("faces"), at("manifest.parquet"), at("split"), at("shards"), at("run")
	r := &Result{Report: at("report.html")}

	o.say("vf2prep synth --out %s --identities %d --images %d --seed %d", root, o.Identities, o.Images, o.Seed)
	if _, err := synth.Run(ctx, synth.Options{
		Out: root, Identities: o.Identities, TestIdentities: -1, Images: o.Images, Seed: o.Seed, Progress: o.Progress,
	}); err != nil {
		return nil, err
	}

	o.say("vf2prep manifest build --root %s --out %s", root, file)
	built, err := manifest.Build(ctx, manifest.BuildOptions{Root: root, Out: file, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	r.Images = int(built.Images)

	o.say("vf2prep split make --manifest %s --strategy first-n --val %d --out %s", file, o.Val, lists)
	counts, err := makeSplit(file, lists, o.Val)
	if err != nil {
		return nil, err
	}

	o.say("vf2prep cache build --manifest %s --split %s --root %s --recipe arcface-112 --size %s --out %s", file, lists, root, o.Size, shards)
	recipe, err := cache.LoadRecipe("arcface-112", o.Size)
	if err != nil {
		return nil, err
	}
	plan, err := cache.MakePlan(cache.PlanOptions{Manifest: file, Split: lists, Recipe: recipe, Out: shards, Seed: o.Seed, ShardSize: 8 << 20})
	if err != nil {
		return nil, err
	}
	cached, err := plan.Build(ctx, cache.BuildOptions{Root: root, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	r.Samples, r.CacheImagesPerSecond = cached.Samples, cached.ImagesPerSecond

	o.say("vf2prep train --shards %s --arch seed-resnet-relu --optimizer adadelta --batch %d --epochs %d --seed %d --out %s", shards, o.Batch, o.Epochs, o.Seed, run)
	trained, err := train.Run(ctx, train.Options{
		Shards: shards, Out: run, Progress: o.Progress,
		Config: train.Config{Arch: "seed-resnet-relu", Optimizer: "adadelta", Batch: o.Batch, Epochs: o.Epochs, Seed: o.Seed},
	})
	if err != nil {
		return nil, err
	}
	r.TrainImagesPerSecond = trained.ImagesPerSec

	o.say("vf2prep eval identify --run %s --shards %s", run, shards)
	o.say("vf2prep eval verify --run %s --shards %s", run, shards)
	named, told, err := evaluate(ctx, run, shards, o.Progress)
	if err != nil {
		return nil, err
	}
	r.Top1, r.Top5, r.Chance, r.EER, r.AUC = named.Top1, named.Top5, named.Chance, told.EER, told.AUC
	r.Seconds = time.Since(start).Seconds()
	return r, eval.WriteReport(r.Report, report(o, r, built, counts, named, told, run))
}

func (o *Options) say(format string, args ...any) {
	fmt.Fprintf(o.Log, "$ "+format+"\n", args...)
}

func makeSplit(file, lists string, val int) (split.Counts, error) {
	m, err := manifest.Open(file)
	if err != nil {
		return split.Counts{}, err
	}
	defer m.Close()
	a, err := split.Make(m, split.Options{Strategy: split.FirstN, Val: val, MinTrain: 1})
	if err != nil {
		return split.Counts{}, err
	}
	return a.Counts(), a.Write(lists)
}

func evaluate(ctx context.Context, run, shards string, p progress.Reporter) (*eval.Identification, *eval.Verification, error) {
	net, err := train.OpenRun(run, 32)
	if err != nil {
		return nil, nil, err
	}
	defer net.Close()
	set, err := shard.Open(shards)
	if err != nil {
		return nil, nil, err
	}
	defer set.Close()
	from := eval.Provenance{Run: filepath.Base(run), Arch: net.Record().Config.Arch, Weights: net.Digest()}
	curves := filepath.Join(run, "curves.png")
	named, err := eval.Identify(ctx, eval.IdentifyOptions{
		Model: net, Classes: net.ClassNames(), Set: set, Out: filepath.Join(run, "eval-identify"), Curves: curves, From: from, Progress: p,
	})
	if err != nil {
		return nil, nil, err
	}
	told, err := eval.Verify(ctx, eval.VerifyOptions{
		Model: net, Classes: net.ClassNames(), Set: set, Out: filepath.Join(run, "eval-verify"), Curves: curves, From: from, Progress: p,
	})
	return named, told, err
}
