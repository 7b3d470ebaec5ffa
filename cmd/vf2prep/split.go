package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/split"
)

func (e *env) splitCommand() *cli.Command {
	return &cli.Command{
		Name:  "split",
		Usage: "decide which images train, validate and test",
		Subcommands: []*cli.Command{
			{
				Name:  "make",
				Usage: "split the images of a manifest",
				Description: `The same manifest, strategy and seed give the same lists on every machine. Strategy random draws
every image for itself; it is the one for data sets without identities, such as UTKFace, and
reaches its share as nearly as so many draws do.

Examples:
  vf2prep split make --manifest manifest.parquet --strategy first-n --val 20 --out split/
  vf2prep split make --manifest manifest.parquet --strategy ratio --ratio 0.1 --seed 7 --out split/
  vf2prep split make --manifest utkface.parquet --strategy random --ratio 0.2 --seed 1 --out split/`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote", Required: true},
					&cli.StringFlag{Name: "out", Usage: "`DIR` for the lists and split.json", Required: true},
					&cli.StringFlag{Name: "strategy", Value: split.FirstN, Usage: "first-n, ratio, identity or random"},
					&cli.IntFlag{Name: "val", Value: 20, Usage: "first-n: how many images of each identity validate"},
					&cli.Float64Flag{Name: "ratio", Value: 0.1, Usage: "ratio: share of each identity's images that validates; identity: share of the identities; random: of the images"},
					&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "ratio, identity, random: another number, another draw"},
					&cli.IntFlag{Name: "min-train", Value: 1, Usage: "exclude identities with fewer training images"},
				},
				Action: e.splitMake,
			},
			{
				Name:  "check",
				Usage: "prove that a split is whole, disjoint and made from a manifest",
				Description: `Examples:
  vf2prep split check --split split/ --manifest manifest.parquet`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "split", Usage: "`DIR` that split make wrote", Required: true},
					&cli.StringFlag{Name: "manifest", Usage: "the manifest's `FILE`", Required: true},
				},
				Action: e.splitCheck,
			},
		},
	}
}

func (e *env) splitMake(c *cli.Context) error {
	m, err := manifest.Open(c.String("manifest"))
	if err != nil {
		return err
	}
	defer m.Close()
	o := split.Options{Strategy: c.String("strategy"), MinTrain: c.Int("min-train")}
	if o.Strategy == split.FirstN {
		o.Val = c.Int("val")
	} else {
		o.Ratio, o.Seed = c.Float64("ratio"), c.Uint64("seed")
	}
	if err := o.Check(); err != nil {
		return usage("%w", err)
	}
	a, err := split.Make(m, o)
	if errors.Is(err, split.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if err := a.Write(c.String("out")); err != nil {
		return err
	}
	n := a.Counts()
	recipe := "arcface-112"
	if a.Anonymous || m.Counts().Landmarks == 0 {
		recipe = "whole-112"
	}
	e.hint(c, "run \"vf2prep cache build --manifest %s --split %s --root DIR --recipe %s --out shards/\"", c.String("manifest"), c.String("out"), recipe)
	return e.result(c, n, func(w io.Writer) {
		if a.Anonymous {
			fmt.Fprintf(w, "train     %9d images\nval       %9d images\n", n.Train, n.Val)
			fmt.Fprintln(w, "no identities: no classes, no image has a label")
			return
		}
		fmt.Fprintf(w, "train     %9d images  %5d identities\n", n.Train, n.TrainIdentities)
		fmt.Fprintf(w, "val       %9d images  %5d identities\n", n.Val, n.ValIdentities)
		fmt.Fprintf(w, "test      %9d images  %5d identities\n", n.Test, n.TestIdentities)
		fmt.Fprintf(w, "excluded  %9d images  %5d identities\n", n.Excluded, len(n.Dropped))
		for _, id := range n.Dropped {
			fmt.Fprintf(w, "%s has fewer than %d training images: excluded\n", id, o.MinTrain)
		}
		for _, id := range n.Untrained {
			fmt.Fprintf(w, "%s has no training image: no class\n", id)
		}
	})
}

func (e *env) splitCheck(c *cli.Context) error {
	m, err := manifest.Open(c.String("manifest"))
	if err != nil {
		return err
	}
	defer m.Close()
	r, err := split.Check(c.String("split"), m)
	if err != nil {
		return err
	}
	err = e.result(c, r, func(w io.Writer) {
		for _, p := range r.Problems {
			fmt.Fprintln(w, p)
		}
		if len(r.Problems) == 0 {
			fmt.Fprintf(w, "the split is sound: each of %d images is in one part\n", r.Images)
		}
	})
	if err == nil && len(r.Problems) > 0 {
		err = fmt.Errorf("the split has problems")
	}
	return err
}
