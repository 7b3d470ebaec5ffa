package main

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/eval"
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
the shards, or of the pairs of a file in LFW's format. Every number is defined in
docs/evaluation.md.

Examples:
  vf2prep eval verify --run runs/first --shards shards/ --json
  vf2prep eval verify --run runs/first --pairs pairs.txt --images lfw-deepfunneled/
  vf2prep eval verify --run runs/first --pairs pairs.txt --images lfw/ --box 0.25,0.25,0.5,0.5`,
				Flags: []cli.Flag{
					run(),
					&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote; with --pairs only for its recipe"},
					&cli.StringFlag{Name: "part", Value: "test", Usage: "part of the shards whose images are compared"},
					&cli.StringFlag{Name: "pairs", Usage: "pairs `FILE` in LFW's format, instead of a part"},
					&cli.StringFlag{Name: "images", Usage: "`DIR` with the pairs' images, Name/Name_0001.jpg"},
					&cli.StringFlag{Name: "box", Value: shares(eval.LFWBox[:]), Usage: "where the face is in every image of --images: left, top, width, height as shares of the image; for recipes that crop a box"},
					&cli.StringFlag{Name: "landmarks", Value: shares(eval.LFWPoints[:]), Usage: "where eyes, nose and mouth corners are in every image of --images: x1,y1,..,x5,y5 as shares; for recipes that align"},
					&cli.IntFlag{Name: "max-missing", Value: -1, Usage: "fail (exit 3) when more pairs than this lack an image; -1: any number is fine"},
					&cli.IntFlag{Name: "max-pairs", Value: 20_000_000, Usage: "of more genuine or impostor pairs than this a seeded sample is compared"},
					&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the sample and of the folds of identities"},
					&cli.StringFlag{Name: "out", Usage: "`DIR` for result and report (default: RUN/eval-verify, with --pairs RUN/eval-verify-pairs)"},
					batch(),
				},
				Action: e.evalVerify,
			},
			e.evalAttributesCommand(batch()),
		},
	}
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

func (e *env) evalVerify(c *cli.Context) error {
	o := eval.VerifyOptions{
		Part: c.String("part"), Pairs: c.String("pairs"), MaxPairs: c.Int("max-pairs"), Seed: c.Uint64("seed"),
		Out: outDir(c, "eval-verify"), Curves: filepath.Join(c.String("run"), "curves.png"),
	}
	box, err := eval.ParseBox(c.String("box"))
	if err != nil {
		return usage("--box: %w", err)
	}
	points, err := eval.ParsePoints(c.String("landmarks"))
	if err != nil {
		return usage("--landmarks: %w", err)
	}
	switch {
	case o.Pairs == "" && c.String("shards") == "":
		return usage("eval verify: --shards or --pairs is missing")
	case (o.Pairs == "") != (c.String("images") == ""):
		return usage("eval verify: --pairs and --images go together")
	case o.MaxPairs < 1:
		return usage("--max-pairs: %d, want at least 1", o.MaxPairs)
	}
	p, from, err := trained(c)
	if err != nil {
		return err
	}
	defer p.Close()
	o.Model, o.Classes, o.Recipe, o.From, o.Progress = p, p.ClassNames(), from.RecipeDigest, from, e.progress(c)
	if c.String("shards") != "" {
		if o.Set, err = shard.Open(c.String("shards")); err != nil {
			return err
		}
		defer o.Set.Close()
	}
	if o.Pairs != "" {
		o.Out = outDir(c, "eval-verify-pairs")
		recipe, err := eval.TrainingRecipe(o.Set, from.Recipe, from.RecipeDigest)
		if err != nil {
			return err
		}
		images, err := eval.OpenAligned(c.String("images"), recipe, box, points)
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
