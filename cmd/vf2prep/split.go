package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

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
				Description: `The same manifest, lists, strategy and seed give the same split on every machine, and each identity
is drawn for itself: another identity that comes moves nobody.

  first-n   the first --val images of each identity, by number, validate
  ratio     a share of each identity's images validates
  identity  a share of the identities validates with all their images
  random    every image is drawn for itself, whoever it shows; for data sets without identities,
            such as UTKFace, and as near to its share as so many draws come
  k-fold    --folds splits of which each image validates in one: a share of each identity's images,
            or with --fold-by identities whole identities. All go to OUT/fold-0, fold-1 and so on,
            or --fold alone to OUT

With --group photo the faces of one photo (n000002/0007_01 and 0007_02) go to one part; first-n then
finishes the photo that reaches --val, and shares count photos. With --duplicates images that are
connected go where the first of them goes; those connected with a test image are excluded, and of
identity and k-fold by identities those whose identity went elsewhere. With --stratify each
identity's validation has its share of every stratum, rounded up or down; where whole identities or
single images are drawn, shares are right on average and only counted.

Examples:
  vf2prep split make --manifest manifest.parquet --strategy first-n --val 20 --out split/
  vf2prep split make --manifest manifest.parquet --strategy ratio --ratio 0.1 --seed 7 --out split/
  vf2prep split make --manifest manifest.parquet --strategy k-fold --folds 5 --out folds/
  vf2prep split make --manifest manifest.parquet --strategy ratio --ratio 0.1 --stratify age,pose \
      --group photo --duplicates duplicates.csv --exclude leaks.txt --out split/
  vf2prep split make --manifest utkface.parquet --strategy random --ratio 0.2 --seed 1 --out split/`,
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote", Required: true},
					&cli.StringFlag{Name: "out", Usage: "`DIR` for the lists and split.json, or for the folds", Required: true},
					&cli.StringFlag{Name: "strategy", Value: split.FirstN, Usage: "first-n, ratio, identity, random or k-fold"},
					&cli.IntFlag{Name: "val", Value: 20, Usage: "first-n: how many images of each identity validate"},
					&cli.Float64Flag{Name: "ratio", Value: 0.1, Usage: "ratio: share of each identity's images that validates; identity: share of the identities; random: of the images"},
					&cli.IntFlag{Name: "folds", Value: 5, Usage: "k-fold: how many folds"},
					&cli.IntFlag{Name: "fold", Usage: "k-fold: only the fold of this number, from 0", DefaultText: "all"},
					&cli.StringFlag{Name: "fold-by", Value: split.FoldImages, Usage: "k-fold: images of each identity, or whole identities"},
					&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "ratio, identity, random, k-fold: another number, another draw"},
					&cli.StringFlag{Name: "group", Usage: "photo: keep the faces of a photo in one part", DefaultText: "none"},
					&cli.StringFlag{Name: "stratify", Usage: "ratio, identity, random, k-fold: some of age (tens of years), gender, pose (by the landmarks), with commas"},
					&cli.IntFlag{Name: "min-train", Value: 1, Usage: "exclude identities with fewer training images"},
					&cli.BoolFlag{Name: "allow-unknown", Usage: "pass over what --exclude and --duplicates name and the manifest has not"},
				}, splitLists()...),
				Action: e.splitMake,
			},
			{
				Name:  "check",
				Usage: "prove that a split is whole, disjoint and made from a manifest",
				Description: `Whole: each image is in one part. Disjoint: no identity of the official test set trains or validates,
no photo and no duplicates are in two parts where that was asked for. Made from the manifest: the same
options give the same lists again. Of folds it also proves that each image validates in one.

What lists named is known from the split itself; with the lists it is also proved that they are
those, and were followed.

Examples:
  vf2prep split check --split split/ --manifest manifest.parquet
  vf2prep split check --split folds/ --manifest manifest.parquet --duplicates duplicates.csv`,
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "split", Usage: "`DIR` that split make wrote", Required: true},
					&cli.StringFlag{Name: "manifest", Usage: "the manifest's `FILE`", Required: true},
				}, splitLists()...),
				Action: e.splitCheck,
			},
		},
	}
}

func splitLists() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "duplicates", Usage: "CSV `FILE` with columns a and b, as curate duplicates writes it: images that stay in one part"},
		&cli.StringFlag{Name: "exclude", Usage: "`FILE` of identities and images to leave out, one a line, # before a comment"},
		&cli.StringFlag{Name: "tombstones", Usage: "CSV `FILE` with columns what,when,why of identities and images to forget; it may name what is gone already"},
	}
}

// readSplitLists reads the files of splitLists.
func readSplitLists(c *cli.Context) (in split.Inputs, err error) {
	if path := c.String("duplicates"); path != "" {
		if in.Duplicates, err = split.ReadDuplicates(path); err != nil {
			return in, err
		}
	}
	if path := c.String("exclude"); path != "" {
		if in.Exclude, err = split.ReadExclusions(path); err != nil {
			return in, err
		}
	}
	if path := c.String("tombstones"); path != "" {
		in.Tombstones, err = split.ReadTombstones(path)
	}
	return in, err
}

// splitOptions reads the flags that need no file; all says that every fold is wanted.
func splitOptions(c *cli.Context) (o split.Options, all bool, err error) {
	o = split.Options{Strategy: c.String("strategy"), MinTrain: c.Int("min-train"), Group: c.String("group")}
	switch o.Strategy {
	case split.FirstN:
		o.Val = c.Int("val")
	case split.KFold:
		o.Folds, o.Fold, o.FoldBy, o.Seed = c.Int("folds"), c.Int("fold"), c.String("fold-by"), c.Uint64("seed")
		all = !c.IsSet("fold")
	default:
		o.Ratio, o.Seed = c.Float64("ratio"), c.Uint64("seed")
	}
	for _, name := range []string{"folds", "fold", "fold-by"} {
		if c.IsSet(name) && o.Strategy != split.KFold {
			return o, all, usage("--%s: strategy %s has no folds", name, o.Strategy)
		}
	}
	if o.Stratify, err = split.ParseTraits(c.String("stratify")); err != nil {
		return o, all, usage("--stratify: %w", err)
	}
	if err := o.Check(); err != nil {
		return o, all, usage("%w", err)
	}
	return o, all, nil
}

func (e *env) splitMake(c *cli.Context) error {
	o, all, err := splitOptions(c)
	if err != nil {
		return err
	}
	m, err := manifest.Open(c.String("manifest"))
	if err != nil {
		return err
	}
	defer m.Close()
	in, err := readSplitLists(c)
	if err != nil {
		return err
	}
	in.AllowUnknown = c.Bool("allow-unknown")
	e.repeated(in.Exclude)
	e.repeated(in.Tombstones)
	a, err := split.MakeWith(m, o, in)
	switch {
	case errors.Is(err, split.ErrOption):
		return usage("%w", err)
	case errors.Is(err, split.ErrUnknown):
		return &codeError{exitFailed, err, "is it the list of another data set? --allow-unknown passes over such lines"}
	case err != nil:
		return err
	}
	recipe := "arcface-112"
	if a.Anonymous || m.Counts().Landmarks == 0 {
		recipe = "whole-112"
	}
	out := c.String("out")
	hint := func(dir string) {
		e.hint(c, "run \"vf2prep cache build --manifest %s --split %s --root DIR --recipe %s --out shards/\"", c.String("manifest"), dir, recipe)
	}
	if all {
		folds, err := a.WriteFolds(out)
		if err != nil {
			return err
		}
		hint(filepath.ToSlash(split.FoldDir(out, 0)))
		return e.result(c, map[string]any{"folds": folds, "inputs": inputsOf(a)}, func(w io.Writer) {
			for i, n := range folds {
				fmt.Fprintf(w, "fold %-3d  train %9d images%s   val %9d images%s\n", i, n.Train, people(a, n.TrainIdentities), n.Val, people(a, n.ValIdentities))
			}
			n := folds[0]
			fmt.Fprintf(w, "test      %9d images%s\n", n.Test, people(a, n.TestIdentities))
			fmt.Fprintf(w, "excluded  %9d images%s\n", n.Excluded, people(a, len(n.Dropped)))
			if len(n.Strata)+len(n.Untrained) > 0 {
				fmt.Fprintln(w, "of fold 0:")
			}
			printSplit(w, a, n)
		})
	}
	if err := a.Write(out); err != nil {
		return err
	}
	n := a.Counts()
	hint(out)
	return e.result(c, struct {
		split.Counts
		Inputs []split.Input `json:"inputs,omitempty"`
	}{n, a.Inputs}, func(w io.Writer) {
		if a.Anonymous {
			fmt.Fprintf(w, "train     %9d images\nval       %9d images\n", n.Train, n.Val)
			if n.Excluded > 0 {
				fmt.Fprintf(w, "excluded  %9d images\n", n.Excluded)
			}
			fmt.Fprintln(w, "no identities: no classes, no image has a label")
		} else {
			fmt.Fprintf(w, "train     %9d images  %5d identities\n", n.Train, n.TrainIdentities)
			fmt.Fprintf(w, "val       %9d images  %5d identities\n", n.Val, n.ValIdentities)
			fmt.Fprintf(w, "test      %9d images  %5d identities\n", n.Test, n.TestIdentities)
			fmt.Fprintf(w, "excluded  %9d images  %5d identities\n", n.Excluded, len(n.Dropped))
		}
		printSplit(w, a, n)
	})
}

// people is a column of a number of identities, where there are any.
func people(a *split.Assignment, n int) string {
	if a.Anonymous {
		return ""
	}
	return fmt.Sprintf("  %5d identities", n)
}

// repeated says which lines of a list were there before.
func (e *env) repeated(x *split.Exclusions) {
	if x == nil {
		return
	}
	for _, text := range x.Repeated {
		fmt.Fprintf(e.stderr, "warning: %s\n", text)
	}
}

func inputsOf(a *split.Assignment) []split.Input {
	if a.Inputs == nil {
		return []split.Input{}
	}
	return a.Inputs
}

// printSplit prints what lists and strata came to, and whom the split leaves without a class.
func printSplit(w io.Writer, a *split.Assignment, n split.Counts) {
	for _, in := range a.Inputs {
		switch in.Kind {
		case "exclude":
			fmt.Fprintf(w, "%s: %d identities and images, %d images excluded", in.File, in.Entries, n.Listed)
		case "tombstones":
			fmt.Fprintf(w, "%s: %d identities and images, %d images forgotten", in.File, in.Entries, n.Forgotten)
		case "duplicates":
			d := n.Duplicates
			fmt.Fprintf(w, "%s: %d pairs, %d images in %d components: %d moved, %d excluded, %d of them as duplicates of test images",
				in.File, in.Entries, d.Images, d.Components, d.Moved, d.Excluded, d.ByTest)
		}
		if in.Unknown > 0 {
			fmt.Fprintf(w, ", %d not in the manifest", in.Unknown)
		}
		if in.Repeated > 0 {
			fmt.Fprintf(w, ", %d lines repeated", in.Repeated)
		}
		fmt.Fprintln(w)
	}
	for _, s := range n.Strata {
		fmt.Fprintf(w, "%-40s  train %9d  val %9d  %5.1f %%\n", s.Name, s.Train, s.Val, 100*float64(s.Val)/float64(s.Train+s.Val))
	}
	for _, id := range n.Dropped {
		fmt.Fprintf(w, "%s has fewer than %d training images: excluded\n", id, a.Options.MinTrain)
	}
	for _, id := range n.Untrained {
		fmt.Fprintf(w, "%s has no training image: no class\n", id)
	}
}

func (e *env) splitCheck(c *cli.Context) error {
	m, err := manifest.Open(c.String("manifest"))
	if err != nil {
		return err
	}
	defer m.Close()
	in, err := readSplitLists(c)
	if err != nil {
		return err
	}
	r, err := split.CheckWith(c.String("split"), m, in)
	if err != nil {
		return err
	}
	err = e.result(c, r, func(w io.Writer) {
		for _, p := range r.Problems {
			fmt.Fprintln(w, p)
		}
		switch {
		case len(r.Problems) > 0:
		case r.Folds > 0:
			fmt.Fprintf(w, "the %d folds are sound: each of %d images is in one part of each, and none validates twice\n", r.Folds, r.Images)
		default:
			fmt.Fprintf(w, "the split is sound: each of %d images is in one part\n", r.Images)
		}
	})
	if err == nil && len(r.Problems) > 0 {
		err = fmt.Errorf("the split has problems")
	}
	return err
}
