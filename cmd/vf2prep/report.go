package main

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/report"
)

func (e *env) reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "put runs and evaluations on one page",
		ArgsUsage: "RUN...",
		Description: `One HTML file that needs no network and no script, and the same as JSON beside it: training curves,
settings, results, ROC, DET and CMC over one another, published figures where they may be held against a
result, and the digests from the weights down to the manifest. RUN is a run directory, with the
evaluations inside, or an evaluation's folder.

Results share a table only where they answer the same question. Two of one protocol that differ in pairs,
metric or exclusions are refused unless --separate is given.

Examples:
  vf2prep report --out report.html runs/first runs/second
  vf2prep report --shards shards/ --out report.html runs/first
  vf2prep report --compare --no-faces --out report.html runs/*`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Value: "report.html", Usage: "the HTML `FILE`; FILE.json lies beside it"},
			&cli.StringFlag{Name: "title", Value: "Report", Usage: "heading of the page"},
			&cli.BoolFlag{Name: "compare", Usage: "fail unless all runs saw the same data and all results of a kind answer the same question"},
			&cli.BoolFlag{Name: "separate", Usage: "results of one protocol that differ in what was asked get sections of their own"},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote, for pictures of the hardest pairs"},
			&cli.StringFlag{Name: "images", Usage: "`DIR` with images by their key or path, for pictures of the hardest pairs"},
			&cli.BoolFlag{Name: "no-faces", Usage: "no pictures of faces, whatever --shards and --images say"},
		},
		Action: e.report,
	}
}

func (e *env) report(c *cli.Context) error {
	o := report.Options{
		Paths: c.Args().Slice(), Out: c.String("out"), Title: c.String("title"), Compare: c.Bool("compare"), Separate: c.Bool("separate"),
		Shards: c.String("shards"), Images: c.String("images"),
	}
	switch {
	case len(o.Paths) == 0:
		return usage("%s: which runs?", c.Command.HelpName)
	case o.Compare && o.Separate:
		return usage("%s: --compare and --separate exclude one another", c.Command.HelpName)
	case !strings.HasSuffix(o.Out, ".html"):
		return usage("--out: %q, want a name that ends in .html", o.Out)
	}
	for _, p := range o.Paths {
		if strings.HasPrefix(p, "-") {
			return usage("%s: %s after a run; flags go before the runs", c.Command.HelpName, p)
		}
	}
	if c.Bool("no-faces") {
		o.Shards, o.Images = "", ""
	}
	r, err := report.Write(o)
	if errors.Is(err, report.ErrProtocol) && !o.Compare {
		return &codeError{exitFailed, err, "--separate gives each question a section of its own"}
	}
	if err != nil {
		return err
	}
	return e.result(c, r, r.Print)
}
