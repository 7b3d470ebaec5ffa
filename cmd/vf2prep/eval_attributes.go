package main

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) evalAttributesCommand(batch cli.Flag) *cli.Command {
	return &cli.Command{
		Name:  "attributes",
		Usage: "how far off is the age, how often right is the gender?",
		Description: `Age: mean absolute error, bias, cumulative score, epsilon error, by decade and gender; consistency of
the head age-rank. Gender: accuracy, balanced accuracy, confusions. Of a run with such heads, or of
any other system by a CSV of its predictions (key,age,gender) against the labels of a shard set, a
manifest or the file itself. Every number is defined in docs/evaluation.md.

Examples:
  vf2prep eval attributes --run runs/first --shards shards/
  vf2prep eval attributes --predictions ages.csv --manifest manifest.parquet --out other/
  vf2prep eval attributes --predictions ages.csv --shards shards/ --part test --age-sigma 3 --out other/ --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "run", Usage: "run `DIR` that train wrote, with a head age, age-rank or gender"},
			&cli.StringFlag{Name: "predictions", Usage: "CSV `FILE` of key,age,gender instead of a run; may hold age_label,gender_label,age_sigma"},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote"},
			&cli.StringFlag{Name: "manifest", Usage: "`FILE` that manifest build wrote, for the labels of --predictions"},
			&cli.StringFlag{Name: "part", Value: "val", Usage: "part of the shards"},
			&cli.BoolFlag{Name: "flip", Usage: "take the mean of the answers for each image and for its mirror"},
			&cli.Float64Flag{Name: "age-sigma", Usage: "deviation of the age labels in years, for the epsilon error where labels have none of their own (default: none, no epsilon error)"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the draws for the intervals"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for result and report (default: RUN/eval-attributes)"},
			batch,
		},
		Action: e.evalAttributes,
	}
}

func (e *env) evalAttributes(c *cli.Context) error {
	o := eval.AttributeOptions{
		Flip: c.Bool("flip"),
		Part: c.String("part"), Predictions: c.String("predictions"), Manifest: c.String("manifest"),
		Sigma: c.Float64("age-sigma"), Seed: c.Uint64("seed"), Out: c.String("out"), Progress: e.progress(c),
	}
	run := c.String("run")
	switch {
	case (run == "") == (o.Predictions == ""):
		return usage("eval attributes: give one of --run and --predictions")
	case run != "" && c.String("shards") == "":
		return usage("eval attributes: --shards is missing")
	case o.Manifest != "" && (run != "" || c.String("shards") != ""):
		return usage("eval attributes: --manifest goes with --predictions alone")
	case run == "" && o.Out == "":
		return usage("eval attributes: --out is missing")
	case c.IsSet("age-sigma") && !(o.Sigma > 0 && o.Sigma <= 100):
		return usage("--age-sigma: %g, want years above 0 and at most 100", o.Sigma)
	}
	if run != "" {
		p, from, err := trained(c)
		if err != nil {
			return err
		}
		defer p.Close()
		o.Model, o.Classes, o.Recipe, o.From = p, p.ClassNames(), from.RecipeDigest, from
		o.Out, o.Curves = outDir(c, "eval-attributes"), filepath.Join(run, "curves.png")
	}
	if dir := c.String("shards"); dir != "" {
		var err error
		if o.Set, err = shard.Open(dir); err != nil {
			return err
		}
		defer o.Set.Close()
	}
	r, err := eval.JudgeAttributes(c.Context, o)
	if err != nil {
		return err
	}
	return e.result(c, r, r.Print)
}
