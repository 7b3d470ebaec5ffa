package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/curate"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) curateNoiseCommand() *cli.Command {
	return &cli.Command{
		Name:  "noise",
		Usage: "find wrong labels by embeddings: outliers, mislabelled images, merged and split identities",
		Description: `Embeddings of any system, written by vf2prep embed or by NumPy, say how alike faces are. In --out:

  outliers.csv     images that are like their identity as a stranger is
  mislabelled.csv  images that are more like another identity, which is named
  merged.csv       identities whose images part in two people
  split.csv        pairs of identities that are one person
  noise.json       counts, thresholds and their false alarms, digests of the inputs
  skipped.csv      what could not be judged, and why
  *.png            the worst of each beside typical images, where photos or shards are given

Lists are ranked, the worst first, and go on a while below the threshold. Thresholds come from the
embeddings themselves: from how like strangers are to each other. Every number is defined in
docs/curation.md. Whose image a key is says the manifest, or the key itself: "n000002/0001_01".

Examples:
  vf2prep curate noise --embeddings embeddings.npy --manifest manifest.parquet --root vggface2/ --out noise/
  vf2prep curate noise --embeddings embeddings.npy --shards shards/ --out noise/
  vf2prep curate noise --embeddings embeddings.npy --out noise/ --exclude outliers --exclude mislabelled
  vf2prep curate noise --embeddings embeddings.npy --out noise/ --outlier-below 0.2 --exclude outliers --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "embeddings", Usage: "`FILE` of embeddings: .npy with its keys beside it, or .safetensors", Required: true},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for lists and sheets", Required: true},
			&cli.StringFlag{Name: "keys", Usage: "`FILE` of the embeddings' keys, one a line, where it is not beside them"},
			&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote: whose image each is, and which lack an embedding"},
			&cli.StringFlag{Name: "root", Usage: "`DIR` of the manifest's photos, for contact sheets"},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote, instead of --manifest and --root"},
			&cli.StringFlag{Name: "part", Usage: "part of the shards that should have embeddings; as a rule the file of embeddings says it"},
			&cli.IntFlag{Name: "min-images", Value: 5, Usage: "judge identities with at least so many images"},
			&cli.Float64Flag{Name: "false-alarms", Value: 0.1, Usage: "largest share of what is flagged, as estimated, that may be in order"},
			&cli.Float64Flag{Name: "outlier-below", Usage: "flag images whose `SIMILARITY` to their identity is at most this, -1 to 1, instead of the data's threshold"},
			&cli.Float64Flag{Name: "mislabelled-above", Usage: "flag images nearer to another identity whose `SIMILARITY` to it is at least this"},
			&cli.Float64Flag{Name: "merged-below", Usage: "flag identities whose parts' `LIKENESS` is at most this, about 0 (strangers) to 1"},
			&cli.Float64Flag{Name: "split-above", Usage: "flag pairs of identities whose `LIKENESS` is at least this"},
			&cli.StringSliceFlag{Name: "exclude", Usage: "write what is flagged of this `KIND` to exclude.txt, for split make --exclude; may be repeated: " + strings.Join(curate.NoiseKinds, ", ")},
			&cli.IntFlag{Name: "list", Value: 1000, Usage: "most rows of each list besides those that are flagged"},
			&cli.IntFlag{Name: "sheet", Value: 24, Usage: "rows of each contact sheet, 0 for none"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "another number, other samples of strangers"},
			&cli.BoolFlag{Name: "fail-on-found", Usage: "exit 1 when anything is flagged"},
			threadsFlag(),
		},
		Action: e.curateNoise,
	}
}

// noiseOptions reads the flags that need no file.
func noiseOptions(c *cli.Context) (curate.NoiseOptions, error) {
	o := curate.NoiseOptions{
		Embeddings: c.String("embeddings"), Keys: c.String("keys"), Root: c.String("root"), Part: c.String("part"),
		MinImages: c.Int("min-images"), FalseAlarms: c.Float64("false-alarms"), Exclude: c.StringSlice("exclude"),
		List: c.Int("list"), Sheet: c.Int("sheet"), Seed: c.Uint64("seed"), Out: c.String("out"),
	}
	for name, to := range map[string]**float64{
		"outlier-below": &o.OutlierBelow, "mislabelled-above": &o.MislabelledAbove, "merged-below": &o.MergedBelow, "split-above": &o.SplitAbove,
	} {
		if c.IsSet(name) {
			v := c.Float64(name)
			*to = &v
		}
	}
	for _, kind := range o.Exclude {
		if !slices.Contains(curate.NoiseKinds, kind) {
			return o, usage("--exclude: %q, want one of %s", kind, strings.Join(curate.NoiseKinds, ", "))
		}
	}
	switch {
	case c.String("manifest") != "" && c.String("shards") != "":
		return o, usage("curate noise: --manifest or --shards, not both")
	case o.Root != "" && c.String("manifest") == "":
		return o, usage("curate noise: --root needs --manifest")
	case o.Part != "" && c.String("shards") == "":
		return o, usage("curate noise: --part needs --shards")
	case o.Sheet > curate.MaxSheet:
		return o, usage("--sheet: %d rows, at most %d make a page", o.Sheet, curate.MaxSheet)
	}
	if err := o.Check(); err != nil {
		return o, usage("curate noise: %w", err)
	}
	return o, nil
}

func (e *env) curateNoise(c *cli.Context) error {
	o, err := noiseOptions(c)
	if err != nil {
		return err
	}
	restore, err := setThreads(c)
	if err != nil {
		return err
	}
	defer restore()
	o.Progress = e.progress(c)
	if path := c.String("manifest"); path != "" {
		if o.Manifest, err = manifest.Open(path); err != nil {
			return err
		}
		defer o.Manifest.Close()
	}
	if dir := c.String("shards"); dir != "" {
		if o.Shards, err = shard.Open(dir); err != nil {
			return err
		}
		defer o.Shards.Close()
	}
	r, err := curate.FindNoise(c.Context, o)
	if err != nil {
		return err
	}
	if err := e.result(c, r, r.Print); err != nil {
		return err
	}
	if slices.Contains(r.Files, "exclude.txt") {
		e.hint(c, "run \"vf2prep split make --manifest FILE --exclude %s --out DIR\"", filepath.Join(o.Out, "exclude.txt"))
	}
	if n := r.Flagged(); n > 0 && c.Bool("fail-on-found") {
		return &codeError{exitFailed, r.Found(o.Out), ""}
	}
	return nil
}
