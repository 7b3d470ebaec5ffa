package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/export"
)

func (e *env) exportCommand() *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "write samples or photos in the formats of other programs",
		Description: `Either the samples of a shard set, as PNG (without loss) or JPEG; those that are JPEGs
already are passed on byte for byte. Or the original photos of a split, byte for byte, with box, landmarks, age and
gender beside them.

Formats:
` + export.About() + `
An export that was stopped or killed goes on where it was when the command is run again. Run again on a
complete one, it reads every file and holds it against export.json. Samples that are damaged are
listed in rejects.csv; more than --max-rejects of them make exit code 3.

--to croissant describes a complete export, --of DIR, in DIR/croissant.json (Croissant 1.0): files with
their digests, splits, classes and, of parquet-hf, imagefolder and webdataset, samples.

Examples:
  vf2prep export --to webdataset --shards shards/ --out webdataset/
  vf2prep export --to webdataset --shards shards/ --parts train --image jpeg --quality 95 --out small/
  vf2prep export --to webdataset --manifest manifest.parquet --split split/ --root DIR --out photos/
  vf2prep export --to croissant --of webdataset/ --license https://example.org/terms --url https://example.org/faces`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "the format: " + strings.Join(export.Formats(), ", ") + "; or croissant, with --of", Required: true},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the files, new or empty"},
			&cli.StringFlag{Name: "shards", Usage: "the `DIR` of a shard set"},
			&cli.StringFlag{Name: "manifest", Usage: "instead of --shards: the `FILE` that manifest build wrote, for the photos as they are"},
			&cli.StringFlag{Name: "split", Usage: "the `DIR` that split make wrote, with --manifest"},
			&cli.StringFlag{Name: "root", Usage: "the data set's `DIR`, with --manifest"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the photos' order; samples of shards stay in theirs"},
			&cli.StringFlag{Name: "parts", Usage: "such as train,val (default: all that are there)"},
			&cli.StringFlag{Name: "image", Usage: "png or jpeg (default: png, but jpeg where the samples are JPEGs and in mxnet-rec and insightface-bin)"},
			&cli.IntFlag{Name: "quality", Usage: fmt.Sprintf("of JPEGs that are made, 1 to 100 (default: %d)", export.DefaultQuality)},
			&cli.StringFlag{Name: "name", Value: export.DefaultName, Usage: "of the data set, where the format asks for one"},
			&cli.BoolFlag{Name: "plain", Usage: "of mxnet-rec: a label a record, in the shards' order, without InsightFace's records of identities"},
			&cli.StringFlag{Name: "pairs", Usage: "for insightface-bin: a `FILE` of pairs as eval verify reads them (LFW's pairs.txt, a CSV)"},
			&cli.StringFlag{Name: "max-bytes", Value: "256MiB", Usage: "most of a file, such as 1GiB; of JPEGs that are made about that"},
			&cli.IntFlag{Name: "max-count", Usage: "most samples of a file; 0: no limit"},
			&cli.StringFlag{Name: "max-rejects", Value: "0", Usage: "how many samples may be rejected, a `NUMBER` or a share such as 1%"},
			&cli.BoolFlag{Name: "restart", Usage: "take away what another export left in --out"},
			&cli.IntFlag{Name: "workers", Usage: "goroutines that encode; 0: one per CPU"},
			&cli.StringFlag{Name: "of", Usage: "the `DIR` of the export that --to croissant describes"},
			&cli.StringFlag{Name: "license", Usage: "for croissant: a URL or a text (default: that none is stated)"},
			&cli.StringFlag{Name: "url", Usage: "for croissant: the data set's page (default: the directory)"},
			&cli.StringFlag{Name: "description", Usage: "for croissant: a `TEXT` (default: what the export was made of)"},
		},
		Action: e.export,
	}
}

// exportOptions reads the flags.
func (e *env) exportOptions(c *cli.Context) (export.Options, error) {
	o := export.Options{
		To: c.String("to"), Out: c.String("out"), Shards: c.String("shards"),
		Manifest: c.String("manifest"), Split: c.String("split"), Root: c.String("root"), Seed: c.Uint64("seed"),
		Image: c.String("image"), Quality: c.Int("quality"), Name: c.String("name"), Pairs: c.String("pairs"), Plain: c.Bool("plain"), MaxCount: c.Int("max-count"),
		Restart: c.Bool("restart"), Workers: c.Int("workers"), Progress: e.progress(c),
	}
	if c.IsSet("seed") && o.Shards != "" {
		return o, usage("--seed is for --manifest: the samples of --shards have their order")
	}
	if c.IsSet("parts") {
		o.Parts = strings.Split(c.String("parts"), ",")
	}
	if c.IsSet("max-bytes") {
		var err error
		if o.MaxBytes, err = parseSize(c.String("max-bytes")); err != nil {
			return o, usage("--max-bytes: %w", err)
		}
	}
	return o, nil
}

// onlyCroissant are the flags that say what an export can't know of itself.
var onlyCroissant = []string{"of", "license", "url", "description"}

// describe writes what describes an export.
func (e *env) describe(c *cli.Context) error {
	general := []string{"to", "name", "json", "quiet", "q", "config"}
	for _, name := range c.LocalFlagNames() {
		if !slices.Contains(general, name) && !slices.Contains(onlyCroissant, name) {
			return usage("--%s is not for --to croissant, which describes the export that is in --of", name)
		}
	}
	if c.String("of") == "" {
		return usage("--to croissant needs --of, the directory of a complete export")
	}
	o := export.DescribeOptions{Dir: c.String("of"), License: c.String("license"), URL: c.String("url"), Description: c.String("description")}
	if c.IsSet("name") {
		o.Name = c.String("name")
	}
	d, err := export.Describe(o)
	if errors.Is(err, export.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if !d.License {
		e.hint(c, "--license says under which terms the samples may be used; none is stated")
	}
	return e.result(c, d, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d files, record sets %s\n", d.File, d.Files, strings.Join(d.RecordSets, ", "))
		if !d.Loadable {
			fmt.Fprintf(w, "samples of %s can't be read by the description alone\n", d.To)
		}
	})
}

func (e *env) export(c *cli.Context) error {
	if c.String("to") == export.Croissant {
		return e.describe(c)
	}
	for _, name := range onlyCroissant {
		if c.IsSet(name) {
			return usage("--%s is for --to croissant", name)
		}
	}
	o, err := e.exportOptions(c)
	if err != nil {
		return err
	}
	allowed, err := cache.ParseAllowance(c.String("max-rejects"))
	if err != nil {
		return usage("--max-rejects: %w", err)
	}
	x, err := export.Open(o)
	if errors.Is(err, export.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	defer x.Close()
	if need, free := x.Room(); free >= 0 && need > free { // as far as it goes; what is finished stays
		fmt.Fprintf(e.stderr, "warning: %s has %s free, the export takes up to %s\n", o.Out, size(free), size(need))
	}
	s, err := x.Run(c.Context)
	if err != nil {
		return err
	}
	err = e.result(c, s, func(w io.Writer) {
		fmt.Fprintf(w, "%d samples of %d in %d files, %s", s.Samples, s.Planned, s.Files, size(s.Bytes))
		if s.Reused > 0 {
			fmt.Fprintf(w, "; %d of %d pieces were there already", s.Reused, s.Pieces)
		}
		fmt.Fprintf(w, "\n%.1f s, %.0f samples/s\n", s.Seconds, s.SamplesPerSecond)
		for _, reason := range sortedKeys(s.Reasons) {
			fmt.Fprintf(w, "rejected %6d: %s\n", s.Reasons[reason], reason)
		}
	})
	if err != nil {
		return err
	}
	if n := allowed.Of(s.Planned); s.Rejected > n {
		return incomplete("%d of %d samples were rejected, %d are allowed: see %s in %s", s.Rejected, s.Planned, n, export.RejectsName, o.Out)
	}
	return nil
}
