package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/curate"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) curateDuplicatesCommand() *cli.Command {
	return &cli.Command{
		Name:  "duplicates",
		Usage: "find images that come twice: copies, re-encoded, resized or brightened ones",
		Description: `Every image is described by a perceptual hash of 64 bits; those whose hashes are alike are
compared pixel by pixel at 32x32. In --out:

  duplicates.csv   pairs, the worst first: across parts, across identities, by difference
  groups.csv       images that are one, with a proposal which to keep
  duplicates.json  counts, bounds, digests of the inputs
  rejects.csv      images that could not be decoded, and why
  duplicates.png   the first pairs side by side

Hashing goes on where it stopped: hashes.bin keeps them by the images' digests. split make --duplicates duplicates.csv keeps copies in one part.

Examples:
  vf2prep curate duplicates --manifest manifest.parquet --root vggface2/ --split split/ --out duplicates/
  vf2prep curate duplicates --shards shards/ --out duplicates/
  vf2prep curate duplicates --shards shards/ --distance 8 --difference 20 --out duplicates/ --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` for lists and sheet", Required: true},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote: looks at samples"},
			&cli.StringFlag{Name: "manifest", Usage: "`FILE` that manifest build wrote: looks at whole photos"},
			&cli.StringFlag{Name: "root", Usage: "`DIR` of the manifest's photos"},
			&cli.StringFlag{Name: "split", Usage: "`DIR` of a split of the manifest, which says the parts"},
			&cli.BoolFlag{Name: "box", Usage: "of photos look at the face's box alone, so that one face in two photos that are cut otherwise is found"},
			&cli.StringSliceFlag{Name: "hashes", Usage: "hashes.bin `FILE` of another search, of which no image is decoded again; repeatable"},
			&cli.IntFlag{Name: "distance", Value: curate.UsualDistance, Usage: fmt.Sprintf("bits that two hashes may differ in, 0 to %d", curate.MaxDistance)},
			&cli.Float64Flag{Name: "difference", Value: curate.UsualDifference, Usage: "mean difference of two small pictures scaled to a standard deviation of 64, 0 to 128; 0: of the same bytes only"},
			&cli.IntFlag{Name: "sheet", Value: 24, Usage: "pairs on the contact sheet, 0 for none"},
			&cli.BoolFlag{Name: "fail-on-found", Usage: "exit 1 when a pair is found"},
			threadsFlag(),
		},
		Action: e.curateDuplicates,
	}
}

func (e *env) curateDuplicates(c *cli.Context) error {
	o := curate.DuplicateOptions{
		Root: c.String("root"), Split: c.String("split"), Box: c.Bool("box"), Hashes: c.StringSlice("hashes"), Distance: c.Int("distance"), Difference: c.Float64("difference"),
		Out: c.String("out"), Sheet: c.Int("sheet"), Progress: e.progress(c),
	}
	from := c.String("manifest")
	switch {
	case (from == "") == (c.String("shards") == ""):
		return usage("curate duplicates: give one of --shards and --manifest")
	case (from == "") != (o.Root == ""):
		return usage("curate duplicates: --manifest and --root go together")
	case o.Split != "" && from == "":
		return usage("curate duplicates: --split goes with --manifest; shards know their parts")
	case o.Box && from == "":
		return usage("curate duplicates: --box goes with --manifest; samples have no box")
	case o.Distance < 0 || o.Distance > curate.MaxDistance:
		return usage("--distance: %d bits, want 0 to %d", o.Distance, curate.MaxDistance)
	case !(o.Difference >= 0 && o.Difference <= 128):
		return usage("--difference: %g, want 0 to 128", o.Difference)
	case o.Sheet < 0 || o.Sheet > curate.MaxSheet:
		return usage("--sheet: %d rows, want 0 to %d", o.Sheet, curate.MaxSheet)
	}
	restore, err := setThreads(c)
	if err != nil {
		return err
	}
	defer restore()
	if from != "" {
		if o.Manifest, err = manifest.Open(from); err != nil {
			return err
		}
		defer o.Manifest.Close()
	} else {
		if o.Shards, err = shard.Open(c.String("shards")); err != nil {
			return err
		}
		defer o.Shards.Close()
	}
	d, err := curate.FindDuplicates(c.Context, o)
	if err != nil {
		return err
	}
	if err := e.result(c, d, d.Print); err != nil {
		return err
	}
	if c.Bool("fail-on-found") && d.Pairs > 0 {
		return &codeError{exitFailed, fmt.Errorf("%d pairs of duplicates, see %s", d.Pairs, o.Out), ""}
	}
	return nil
}
