package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/augment"
)

func (e *env) augmentCommand() *cli.Command {
	return &cli.Command{
		Name:  "augment",
		Usage: "look at what random changes do to samples",
		Subcommands: []*cli.Command{{
			Name:  "preview",
			Usage: "draw a contact sheet of samples before and after augmentation",
			Description: `One sample a row: as it is, flipped, cropped, grey, with other colours, blurred, then as
training sees it in its first epochs. The same flags give the same file.

--augment names what is in use: flip=0.5 and blur=0.1, monochrome=0.2 are probabilities,
crop=224x224 is rows x columns, pad=8 and sigma=0.5-1.5 are pixels, jitter=0.2 (or brightness=,
contrast=, saturation=) changes by a factor of 0.8 to 1.2, zoom=0.9-1.3 enlarges by factors,
rotate=10 turns by degrees to either side, erase=0.25 is the probability that a rectangle turns grey.

Examples:
  vf2prep augment preview --shards shards/ --out preview.png
  vf2prep augment preview --shards shards/ --out preview.png --augment flip=0.5,crop=96x96,monochrome=0.2 --rows 4`,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "shards", Usage: "the `DIR` that cache build wrote", Required: true},
				&cli.StringFlag{Name: "out", Usage: "the PNG `FILE` to write", Required: true},
				&cli.StringFlag{Name: "part", Value: "train", Usage: "train, val or test"},
				&cli.StringFlag{Name: "augment", Value: "flip=0.5,monochrome=0.2,jitter=0.2,blur=0.1", Usage: "what is in use, or none"},
				&cli.IntFlag{Name: "rows", Value: 8, Usage: "number of samples"},
				&cli.IntFlag{Name: "columns", Value: 9, Usage: "pictures of each: the original, each change alone, then all together"},
				&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "another number, other samples and changes"},
			},
			Action: e.augmentPreview,
		}},
	}
}

func (e *env) augmentPreview(c *cli.Context) error {
	p, err := augment.Parse(c.String("augment"))
	if err != nil {
		return usage("--augment: %w", err)
	}
	if c.Int("rows") < 1 || c.Int("columns") < 1 {
		return usage("--rows and --columns: want at least 1")
	}
	res, err := augment.WritePreview(c.Context, augment.PreviewOptions{
		Shards:  c.String("shards"),
		Part:    c.String("part"),
		Out:     c.String("out"),
		Augment: p,
		Rows:    c.Int("rows"),
		Columns: c.Int("columns"),
		Seed:    c.Uint64("seed"),
	})
	if err != nil {
		return err
	}
	return e.result(c, res, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d samples of recipe %s, part %s, %dx%d pixels\n", res.Out, res.Rows, res.Recipe, res.Part, res.Width, res.Height)
	})
}
