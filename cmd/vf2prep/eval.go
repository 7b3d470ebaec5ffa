package main

import (
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
	"github.com/vf2prep/vf2prep/train"
)

func (e *env) evalCommand() *cli.Command {
	// Made anew for each command: a flag keeps its command's state.
	run := func() cli.Flag {
		return &cli.StringFlag{Name: "run", Usage: "run `DIR` that train wrote", Required: true}
	}
	batch := func() cli.Flag {
		return &cli.IntFlag{Name: "batch", Value: 32, Usage: "images that the network takes at once"}
	}
	return &cli.Command{
		Name:  "eval",
		Usage: "measure a trained network",
		Subcommands: []*cli.Command{
			{
				Name:  "identify",
				Usage: "is the right identity among the highest scores?",
				Description: `Top-1, top-5, loss and confusions over a whole part of the shards. Every number is defined in
docs/evaluation.md.

Examples:
  vf2prep eval identify --run runs/first --shards shards/
  vf2prep eval identify --run runs/first --shards shards/ --json`,
				Flags: []cli.Flag{
					run(),
					&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote", Required: true},
					&cli.StringFlag{Name: "part", Value: "val", Usage: "part of the shards with labelled images"},
					&cli.StringFlag{Name: "out", Usage: "`DIR` for result and report (default: RUN/eval-identify)"},
					batch(),
				},
				Action: e.evalIdentify,
			},
			{
				Name:  "verify",
				Usage: "do two images show one person?",
				Description: `ROC, AUC, EER, TAR at FAR and accuracy by the distance of embeddings: of all pairs of a part of
the shards, or of the pairs of a file: LFW's (View 1 and 2), YouTube Faces' splits.txt, or
path1,path2,same[,fold]. The embeddings are a run's, or come from a file that any system wrote.
Every number, and how its interval is made, is defined in docs/evaluation.md.

Examples:
  vf2prep eval verify --run runs/first --shards shards/ --json
  vf2prep eval verify --run runs/first --pairs pairs.txt --images lfw-deepfunneled/
  vf2prep eval verify --run runs/first --pairs pairs.txt --images lfw/ --box 0.25,0.25,0.5,0.5
  vf2prep eval verify --run runs/first --pairs pairsDevTest.txt --threshold-from pairsDevTrain.txt --images lfw/
  vf2prep eval verify --run runs/first --pairs splits.txt --images YouTubeFaces/ --max-frames 50
  vf2prep eval verify --run runs/first --shards shards/ --pairs my-pairs.csv
  vf2prep eval verify --embeddings theirs.npy --out theirs-verify
  vf2prep eval verify --embeddings theirs.npy --pairs pairs.txt --exclude overlap.txt --out theirs-lfw`,
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "run", Usage: "run `DIR` that train wrote; with --embeddings only for whom it was trained on"},
					&cli.StringFlag{Name: "embeddings", Usage: "`FILE` of embeddings, .npy with keys beside it or .safetensors, instead of a network"},
					&cli.StringFlag{Name: "keys", Usage: "`FILE` of the keys of --embeddings, one a line", DefaultText: "NAME.keys.txt beside it"},
					&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote; with --images only for its recipe"},
					&cli.StringFlag{Name: "part", Value: "test", Usage: "part of the shards whose images are compared"},
					&cli.StringFlag{Name: "pairs", Usage: "pairs `FILE`, instead of every pair of a part"},
					&cli.StringFlag{Name: "threshold-from", Usage: "pairs `FILE` that the threshold is chosen on (LFW View 1: pairsDevTrain.txt)"},
					&cli.StringFlag{Name: "images", Usage: "`DIR` with the pairs' images: Name/Name_0001.jpg, aligned_images_DB/Person/video/, or the paths of the pairs"},
					&cli.IntFlag{Name: "max-frames", Usage: "use at most so many frames of a video, at equal steps", DefaultText: "all"},
					&cli.StringFlag{Name: "metric", Value: string(eval.SquaredEuclidean), Usage: "squared-euclidean, or cosine for 1 - cosine similarity"},
					&cli.BoolFlag{Name: "no-normalize", Usage: "keep the embeddings' lengths instead of making them 1"},
					&cli.BoolFlag{Name: "flip-sum", Usage: "add the embedding of each image's mirror"},
					excludeFlag(),
					&cli.StringFlag{Name: "identity-names", Usage: "identity_meta.csv or manifest.parquet `FILE` that knows the names of ids, to find people under both"},
					&cli.BoolFlag{Name: "without-overlap", Usage: "leave out the people whom the network was trained on"},
					&cli.IntFlag{Name: "bootstrap", Value: 1000, Usage: "samples of people for the 95 % intervals; 0: none"},
					&cli.IntFlag{Name: "max-missing", Value: -1, Usage: "fail (exit 3) when more pairs than this lack an image; -1: any number is fine"},
					&cli.IntFlag{Name: "max-pairs", Value: 20_000_000, Usage: "of more genuine or impostor pairs than this a seeded sample is compared"},
					&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the sample, of the folds of identities and of the bootstrap"},
					&cli.StringFlag{Name: "out", Usage: "`DIR` for result and report (default: RUN/eval-verify, with --pairs RUN/eval-verify-pairs)"},
					batch(),
					threadsFlag(),
				}, placeFlags()...),
				Action: e.evalVerify,
			},
			e.evalTemplatesCommand(),
			e.evalAttributesCommand(batch()),
		},
	}
}

// placeFlags say where the face is in images that come without boxes and landmarks.
func placeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "box", Value: shares(eval.LFWBox[:]), Usage: "where the face is in every image of --images: left, top, width, height as shares of the image; for recipes that crop a box"},
		&cli.StringFlag{Name: "landmarks", Value: shares(eval.LFWPoints[:]), Usage: "where eyes, nose and mouth corners are in every image of --images: x1,y1,..,x5,y5 as shares; for recipes that align"},
	}
}

func place(c *cli.Context) (box eval.Box, points eval.Points, err error) {
	if box, err = eval.ParseBox(c.String("box")); err != nil {
		return box, points, usage("--box: %w", err)
	}
	if points, err = eval.ParsePoints(c.String("landmarks")); err != nil {
		return box, points, usage("--landmarks: %w", err)
	}
	return box, points, nil
}

func excludeFlag() cli.Flag {
	return &cli.StringFlag{Name: "exclude", Aliases: []string{"exclude-identities"}, Usage: "leave out the people, by id or name, and images of this `FILE`, one a line, # before a comment"}
}

func threadsFlag() cli.Flag {
	return &cli.IntFlag{Name: "threads", Usage: "never changes the outcome", DefaultText: "one per core"}
}

// setThreads limits the goroutines that compute at once, until restore.
func setThreads(c *cli.Context) (restore func(), err error) {
	n := c.Int("threads")
	if n < 0 {
		return nil, usage("--threads: %d, want at least 1", n)
	}
	before := runtime.GOMAXPROCS(n) // 0 changes nothing
	return func() { runtime.GOMAXPROCS(before) }, nil
}

func shares(v []float64) string {
	text := make([]string, len(v))
	for i, x := range v {
		text[i] = strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strings.Join(text, ",")
}

// trained opens a run's network and says where it comes from.
func trained(c *cli.Context) (*train.Predictor, eval.Provenance, error) {
	if c.Int("batch") < 1 {
		return nil, eval.Provenance{}, usage("--batch: %d, want at least 1", c.Int("batch"))
	}
	p, err := train.OpenRun(c.String("run"), c.Int("batch"))
	if err != nil {
		return nil, eval.Provenance{}, err
	}
	r := p.Record()
	return p, eval.Provenance{
		Run: filepath.Base(filepath.Clean(c.String("run"))), Arch: r.Config.Arch, Weights: p.Digest(),
		Shards: r.Inputs.Shards, Recipe: r.Input.Recipe, RecipeDigest: r.Inputs.Recipe, Manifest: r.Inputs.Manifest, Split: r.Inputs.Split,
	}, nil
}

// outDir is --out, or a folder of that name in the run.
func outDir(c *cli.Context, name string) string {
	if out := c.String("out"); out != "" {
		return out
	}
	return filepath.Join(c.String("run"), name)
}

func (e *env) evalIdentify(c *cli.Context) error {
	p, from, err := trained(c)
	if err != nil {
		return err
	}
	defer p.Close()
	set, err := shard.Open(c.String("shards"))
	if err != nil {
		return err
	}
	defer set.Close()
	r, err := eval.Identify(c.Context, eval.IdentifyOptions{
		Model: p, Classes: p.ClassNames(), Recipe: from.RecipeDigest, Set: set, Part: c.String("part"),
		Out: outDir(c, "eval-identify"), Curves: filepath.Join(c.String("run"), "curves.png"), From: from, Progress: e.progress(c),
	})
	if err != nil {
		return err
	}
	e.hint(c, "run \"vf2prep eval verify --run %s --shards %s\"", c.String("run"), c.String("shards"))
	return e.result(c, r, r.Print)
}

// verifyOptions reads the flags that need no file.
func verifyOptions(c *cli.Context) (eval.VerifyOptions, error) {
	o := eval.VerifyOptions{
		Part: c.String("part"), Pairs: c.String("pairs"), ThresholdFrom: c.String("threshold-from"), MaxPairs: c.Int("max-pairs"), Seed: c.Uint64("seed"),
		MaxFrames: c.Int("max-frames"), NoNormalize: c.Bool("no-normalize"), WithoutOverlap: c.Bool("without-overlap"), Bootstrap: c.Int("bootstrap"),
		Out: c.String("out"),
	}
	set := func(name string) bool { return c.String(name) != "" }
	switch {
	case !set("run") && !set("embeddings"):
		return o, usage("eval verify: --run is missing")
	case set("embeddings") && (set("shards") || set("images") || c.Bool("flip-sum")):
		return o, usage("eval verify: --embeddings needs no --shards, --images or --flip-sum")
	case set("embeddings") && !set("out"):
		return o, usage("eval verify: --embeddings needs --out")
	case set("keys") && !set("embeddings"):
		return o, usage("eval verify: --keys needs --embeddings")
	case !set("pairs") && (set("images") || set("threshold-from")):
		return o, usage("eval verify: --images and --threshold-from need --pairs; --pairs and --images go together")
	case set("pairs") && !set("images") && !set("shards") && !set("embeddings"):
		return o, usage("eval verify: --pairs and --images go together, or --pairs and --shards, where the pairs name keys")
	case !set("pairs") && !set("shards") && !set("embeddings"):
		return o, usage("eval verify: --shards or --pairs is missing")
	case o.WithoutOverlap && !set("run"):
		return o, usage("eval verify: --without-overlap needs --run, which knows whom the network was trained on")
	case o.MaxPairs < 1:
		return o, usage("--max-pairs: %d, want at least 1", o.MaxPairs)
	case o.Bootstrap < 0 || o.Bootstrap > 1_000_000:
		return o, usage("--bootstrap: %d, want 0 to 1000000", o.Bootstrap)
	case o.MaxFrames < 0:
		return o, usage("--max-frames: %d, want at least 1", o.MaxFrames)
	}
	var err error
	if o.Metric, err = eval.ParseMetric(c.String("metric")); err != nil {
		return o, usage("--metric: %w", err)
	}
	if o.Out == "" {
		name := "eval-verify"
		if o.Pairs != "" {
			name = "eval-verify-pairs"
		}
		o.Out = outDir(c, name)
	}
	return o, nil
}

func (e *env) evalVerify(c *cli.Context) error {
	o, err := verifyOptions(c)
	if err != nil {
		return err
	}
	box, points, err := place(c)
	if err != nil {
		return err
	}
	restore, err := setThreads(c)
	if err != nil {
		return err
	}
	defer restore()
	o.Progress = e.progress(c)
	if path := c.String("identity-names"); path != "" {
		if o.Names, err = manifest.Names(c.Context, path); err != nil {
			return err
		}
	}
	if path := c.String("exclude"); path != "" {
		if o.Exclude, err = eval.OpenIdentityList(path); err != nil {
			return err
		}
	}
	if c.String("run") != "" {
		p, from, err := trained(c)
		if err != nil {
			return err
		}
		defer p.Close()
		o.Model, o.Classes, o.Recipe, o.From = p, p.ClassNames(), from.RecipeDigest, from
		o.Curves = filepath.Join(c.String("run"), "curves.png")
		if c.Bool("flip-sum") {
			o.Model, o.From.FlipSum = eval.FlipSum(p), true
		}
	}
	if path := c.String("embeddings"); path != "" {
		if o.Embeddings, err = eval.ReadEmbeddings(path, eval.EmbeddingsOptions{Raw: o.NoNormalize, Keys: c.String("keys")}); err != nil {
			return err
		}
		if o.From, err = eval.EmbeddingsProvenance(path, o.Embeddings); err != nil {
			return err
		}
	}
	if c.String("shards") != "" {
		if o.Set, err = shard.Open(c.String("shards")); err != nil {
			return err
		}
		defer o.Set.Close()
	}
	if dir := c.String("images"); dir != "" {
		recipe, err := eval.TrainingRecipe(o.Set, o.From.Recipe, o.Recipe)
		if err != nil {
			return err
		}
		images, err := eval.OpenAligned(dir, recipe, box, points)
		if err != nil {
			return err
		}
		defer images.Close()
		o.Crop = images
	}
	r, err := eval.Verify(c.Context, o)
	if err != nil {
		return err
	}
	if err := e.result(c, r, r.Print); err != nil {
		return err
	}
	if most := c.Int("max-missing"); most >= 0 && r.MissingPairs > most {
		return incomplete("%d of %d pairs lack an image, at most %d may: see %s", r.MissingPairs, r.GenuinePairsAll+r.ImpostorPairsAll, most, filepath.Join(o.Out, "skipped.csv"))
	}
	return nil
}
