package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/demo"
)

func (e *env) demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "do the whole job on a drawn data set, in under two minutes",
		Description: `Draws faces and runs manifest, split, cache, train and both evaluations on them, printing each
command. Interrupted and run again, it goes on.

Examples:
  vf2prep demo
  vf2prep demo --out bigger --identities 120 --epochs 12`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Value: "vf2prep-demo", Usage: "`DIR` for everything"},
			&cli.IntFlag{Name: "identities", Value: 36, Usage: "people to draw; a sixth of them are test identities"},
			&cli.IntFlag{Name: "images", Value: 40, Usage: "images of each"},
			&cli.IntFlag{Name: "val", Value: 10, Usage: "images of each identity that validate"},
			&cli.StringFlag{Name: "size", Value: "64x64", Usage: "`ROWSxCOLUMNS` of a sample, pixels"},
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "images a step"},
			&cli.IntFlag{Name: "epochs", Value: 8, Usage: "times through the training images"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "another number, other people"},
		},
		Action: func(c *cli.Context) error {
			o := demo.Options{
				Out: c.String("out"), Identities: c.Int("identities"), Images: c.Int("images"), Val: c.Int("val"),
				Size: c.String("size"), Batch: c.Int("batch"), Epochs: c.Int("epochs"), Seed: c.Uint64("seed"),
				Progress: e.progress(c),
			}
			if !c.Bool("quiet") {
				o.Log = e.stderr
			}
			r, err := demo.Run(c.Context, o)
			if err != nil {
				return err
			}
			return e.result(c, r, func(w io.Writer) {
				fmt.Fprintf(w, "%d images drawn, %d samples cached at %.0f images/s, trained at %.0f images/s\n", r.Images, r.Samples, r.CacheImagesPerSecond, r.TrainImagesPerSecond)
				fmt.Fprintf(w, "names the right one of %.0f people for %.1f %% of new photos (chance %.1f %%), among five for %.1f %%\n", 1/r.Chance, 100*r.Top1, 100*r.Chance, 100*r.Top5)
				fmt.Fprintf(w, "tells two strangers' photos from one's with an equal error rate of %.1f %% (chance 50 %%)\n", 100*r.EER)
				fmt.Fprintf(w, "%.0f s; report: %s\n", r.Seconds, r.Report)
			})
		},
	}
}
