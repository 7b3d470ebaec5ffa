package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/synth"
)

func (e *env) synthCommand() *cli.Command {
	return &cli.Command{
		Name:  "synth",
		Usage: "draw a VGGFace2 of any size, with all its metadata",
		Description: `Draws invented people: JPEG files cut as VGGFace2's are, and identity_meta.csv, lists, loose
boxes, loose landmarks, ages and attributes in the official formats. The same options give the
same files on every machine; a run that was stopped goes on when it is started again.

With --metadata-only and --identity-meta it writes the metadata of a set as large as the real
one, without images.

With --protocol it writes the files of a template protocol instead (see vf2prep eval templates):
lists, pairs, galleries and probes as their releases have them, of --identities subjects, and
embeddings of invented faces. No image is drawn.

Examples:
  vf2prep synth --out faces --identities 60 --images 40 --seed 1
  vf2prep synth --out faces --identities 1000 --test-identities 50 --images 100 --spread 0.5
  vf2prep synth --out full --metadata-only --identity-meta identity_meta.csv
  vf2prep synth --protocol ytf --out ytf --identities 40 --images 5
  vf2prep synth --out ijba --protocol ijba --identities 90`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` to draw into, empty or begun by the same command", Required: true},
			&cli.IntFlag{Name: "identities", Value: 60, Usage: "number of people, train and test together"},
			&cli.IntFlag{Name: "test-identities", Value: -1, Usage: "how many of them are test identities", DefaultText: "a sixth"},
			&cli.IntFlag{Name: "images", Value: 40, Usage: "images of each identity"},
			&cli.Float64Flag{Name: "spread", Value: 0, Usage: "share by which the number of images varies: 0.25 is 30 to 50 for --images 40"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "another number, other people"},
			&cli.BoolFlag{Name: "metadata-only", Usage: "no images"},
			&cli.StringFlag{Name: "identity-meta", Usage: "take identities, gender, train or test and number of images from this `FILE`; --images where a row has no number"},
			&cli.StringFlag{Name: "protocol", Usage: "`NAME` of a protocol whose files are made instead: ytf (videos, --images frames each), or of templates, " + strings.Join(synth.Protocols, ", ")},
			&cli.IntFlag{Name: "width", Value: 32, Usage: "with --protocol of templates: values of an embedding"},
			&cli.Float64Flag{Name: "missing", Value: 0, Usage: "with --protocol of templates: share of the faces that get no embedding"},
			&cli.IntFlag{Name: "workers", Value: 0, Usage: "goroutines that draw; changes no byte", DefaultText: "one a CPU"},
			&cli.IntFlag{Name: "videos", Value: 2, Usage: "with --protocol ytf: videos of each person"},
			&cli.IntFlag{Name: "splits", Value: 10, Usage: "with --protocol ytf: splits of the pairs, each with people of its own"},
			&cli.IntFlag{Name: "pairs", Value: 20, Usage: "with --protocol ytf: pairs of one person and of two in each split"},
			&cli.BoolFlag{Name: "force", Usage: "write into a directory that holds other things; deletes nothing"},
		},
		Action: e.synth,
	}
}

func (e *env) synth(c *cli.Context) error {
	switch c.String("protocol") {
	case "":
	case "ytf":
		return e.synthYTF(c)
	default:
		return e.synthProtocol(c)
	}
	res, err := synth.Run(c.Context, synth.Options{
		Out:            c.String("out"),
		Identities:     c.Int("identities"),
		TestIdentities: c.Int("test-identities"),
		Images:         c.Int("images"),
		Spread:         c.Float64("spread"),
		Seed:           c.Uint64("seed"),
		MetadataOnly:   c.Bool("metadata-only"),
		IdentityMeta:   c.String("identity-meta"),
		Workers:        c.Int("workers"),
		Force:          c.Bool("force"),
		Progress:       e.progress(c),
	})
	if errors.Is(err, synth.ErrOptions) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	if err := e.result(c, res, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d identities (%d train, %d test), %d images (%d train, %d test)\n",
			res.Out, res.Identities, res.TrainIdentities, res.TestIdentities, res.Images, res.TrainImages, res.TestImages)
		if res.Drawn > 0 {
			fmt.Fprintf(w, "drawn: %d images, %d bytes on average, %.0f images/s\n", res.Drawn, res.Bytes/res.Drawn, res.ImagesPerSecond)
		}
		if res.Kept > 0 {
			fmt.Fprintf(w, "kept from an earlier run: %d images\n", res.Kept)
		}
	}); err != nil {
		return err
	}
	e.hint(c, "run \"vf2prep manifest build --root %s --out manifest.parquet\"", res.Out)
	return nil
}

func (e *env) synthYTF(c *cli.Context) error {
	res, err := synth.DrawYTF(c.Context, synth.YTFOptions{
		Out: c.String("out"), People: c.Int("identities"), Videos: c.Int("videos"), Frames: c.Int("images"),
		Splits: c.Int("splits"), Pairs: c.Int("pairs"), Seed: c.Uint64("seed"), Progress: e.progress(c),
	})
	if errors.Is(err, synth.ErrOptions) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	return e.result(c, res, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %d people, %d videos, %d frames, %d pairs in %d splits\n", res.Out, res.People, res.Videos, res.Frames, res.Pairs, res.Splits)
	})
}
