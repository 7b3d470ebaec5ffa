package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/eval"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) embedCommand() *cli.Command {
	return &cli.Command{
		Name:  "embed",
		Usage: "write a trained network's embeddings to files",
		Description: `Embeddings of a part of the shards, or of the JPEGs of a folder, as NumPy (embeddings.npy with
embeddings.keys.txt and embeddings.json) and as safetensors. Keys are those of the shards, or
paths without their extension. The same images give the same bytes whatever the batch; what has
no embedding is listed in skipped.csv.

Examples:
  vf2prep embed --run runs/first --shards shards/ --part test --out embeddings/
  vf2prep embed --run runs/first --shards shards/ --part all --flip-sum --out embeddings/
  vf2prep embed --run runs/first --images lfw-deepfunneled/ --out lfw-embeddings/`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "run", Usage: "run `DIR` that train wrote", Required: true},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the files", Required: true},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote; with --images only for its recipe"},
			&cli.StringFlag{Name: "part", Value: "test", Usage: "part of the shards, or all"},
			&cli.StringFlag{Name: "images", Usage: "`DIR` of JPEGs, instead of shards"},
			&cli.StringFlag{Name: "list", Usage: "`FILE` of paths below --images, one a line, instead of all"},
			&cli.BoolFlag{Name: "flip-sum", Usage: "add the embedding of each image's mirror"},
			&cli.BoolFlag{Name: "no-normalize", Usage: "keep the embeddings' lengths instead of making them 1"},
			&cli.StringFlag{Name: "format", Value: "both", Usage: "npy, safetensors or both"},
			&cli.IntFlag{Name: "max-skipped", Value: -1, Usage: "fail (exit 3) when more images than this have no embedding; -1: any number is fine"},
			&cli.IntFlag{Name: "batch", Value: 32, Usage: "images that the network takes at once; changes no byte"},
			threadsFlag(),
		}, placeFlags()...),
		Action: e.embed,
	}
}

func (e *env) embed(c *cli.Context) error {
	o := eval.EmbedOptions{FlipSum: c.Bool("flip-sum"), Raw: c.Bool("no-normalize"), Out: c.String("out"), Progress: e.progress(c)}
	switch c.String("format") {
	case "both":
		o.NPY, o.Tensors = true, true
	case "npy":
		o.NPY = true
	case "safetensors":
		o.Tensors = true
	default:
		return usage("--format: %q, want npy, safetensors or both", c.String("format"))
	}
	if part := c.String("part"); part != "all" {
		o.Parts = []string{part}
	}
	switch {
	case c.String("shards") == "" && c.String("images") == "":
		return usage("embed: --shards or --images is missing")
	case c.String("list") != "" && c.String("images") == "":
		return usage("embed: --list needs --images")
	}
	restore, err := setThreads(c)
	if err != nil {
		return err
	}
	defer restore()
	box, points, err := place(c)
	if err != nil {
		return err
	}
	p, from, err := trained(c)
	if err != nil {
		return err
	}
	defer p.Close()
	o.Model, o.Recipe, o.From = p, from.RecipeDigest, from
	if c.String("shards") != "" {
		if o.Set, err = shard.Open(c.String("shards")); err != nil {
			return err
		}
		defer o.Set.Close()
	}
	if dir := c.String("images"); dir != "" {
		recipe, err := eval.TrainingRecipe(o.Set, from.Recipe, from.RecipeDigest)
		if err != nil {
			return err
		}
		images, err := eval.OpenAligned(dir, recipe, box, points)
		if err != nil {
			return err
		}
		defer images.Close()
		o.Crop = images
		if list := c.String("list"); list != "" {
			o.Paths, err = eval.ReadImageList(list)
		} else {
			o.Paths, err = eval.ListImages(dir)
		}
		if err != nil {
			return err
		}
	}
	r, err := eval.Embed(c.Context, o)
	if err != nil {
		return err
	}
	if err := e.result(c, r, func(w io.Writer) {
		fmt.Fprintf(w, "%d embeddings of %d values, %d images skipped\n", r.Images, r.Width, r.Skipped)
		for _, f := range r.Files {
			fmt.Fprintf(w, "%s\n", f)
		}
	}); err != nil {
		return err
	}
	if most := c.Int("max-skipped"); most >= 0 && r.Skipped > most {
		return incomplete("%d images have no embedding, at most %d may: see %s", r.Skipped, most, filepath.Join(o.Out, "skipped.csv"))
	}
	e.hint(c, "run \"vf2prep eval verify --embeddings %s --out %s\"", r.Files[0], filepath.Join(o.Out, "verify"))
	return nil
}
