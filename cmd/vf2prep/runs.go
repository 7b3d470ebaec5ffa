package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/train"
)

func (e *env) runsCommand() *cli.Command {
	return &cli.Command{
		Name:  "runs",
		Usage: "look at trainings",
		Subcommands: []*cli.Command{
			{
				Name:      "compare",
				Usage:     "set runs side by side: what differs in their settings, and what they came to",
				ArgsUsage: "RUN...",
				Description: `Runs may still be at work. Settings that all share are left out. A run on other shards or another
split than the first is marked: its numbers can't be held against the first one's.

Examples:
  vf2prep runs compare runs/first runs/sgd
  vf2prep runs compare --png compare.png runs/*
  vf2prep runs compare --json runs/*`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "png", Usage: "draw validation loss and top-1 by epoch to `FILE`"},
				},
				Action: e.runsCompare,
			},
		},
	}
}

func (e *env) runsCompare(c *cli.Context) error {
	runs := c.Args().Slice()
	if len(runs) == 0 {
		return usage("%s: which runs?", c.Command.HelpName)
	}
	for _, r := range runs {
		if strings.HasPrefix(r, "-") {
			return usage("%s: %s after a run; flags go before the runs", c.Command.HelpName, r)
		}
	}
	result, err := train.Compare(runs...)
	if err != nil {
		return err
	}
	if path := c.String("png"); path != "" {
		if err := result.WritePNG(path); err != nil {
			return err
		}
	}
	return e.result(c, result, func(w io.Writer) { _ = result.WriteText(w) }) // stdout remembers its own errors
}
