package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/curate"
)

func (e *env) curateForgetCommand() *cli.Command {
	return &cli.Command{
		Name:      "forget",
		Usage:     "take identities or images out on request: of manifest, split, shards and photos",
		ArgsUsage: "[IDENTITY|IMAGE]...",
		Description: `What is named goes into a list of tombstones first; then everything in that list is taken out of the
files that are given. Without names, the list is applied to them, such as to a copy that came
back from a backup. Only shards that hold something of it are written anew; no label changes.
manifest build, cache build and cache repair take the same list with --tombstones.

Beside the list, audit.jsonl records what was done with digests before and after, and runs.csv
lists trainings below --runs that had seen it. See docs/data-use.md for what this can't reach.

What nothing has is an error, and nothing is changed. To ask twice is harmless. After an
interruption, of whatever kind, run the same command again.

Examples:
  vf2prep curate forget n000123 n000456/0007_01 --why "request 17" --tombstones tombstones.csv --manifest manifest.parquet --split split/ --shards shards/ --runs runs/
  vf2prep curate forget n000123 --why "request 18" --tombstones tombstones.csv --manifest manifest.parquet --root vggface2/ --delete-photos
  vf2prep curate forget --list names.txt --why "request 19" --tombstones tombstones.csv --shards shards/ --dry-run
  vf2prep curate forget --tombstones tombstones.csv --shards restored/`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "why", Usage: "the reason, a line of `TEXT` such as a request's number; not the person's name"},
			&cli.StringFlag{Name: "list", Usage: "`FILE` with more identities and images, one a line, # begins a comment"},
			&cli.StringFlag{Name: "date", Usage: "of the request, `YYYY-MM-DD` (default: today, UTC)"},
			&cli.StringFlag{Name: "tombstones", Usage: "the list, a CSV `FILE`; made where it is not there", Required: true},
			&cli.StringSliceFlag{Name: "shards", Usage: "a shard set's `DIR`, complete or under way; repeatable"},
			&cli.StringFlag{Name: "manifest", Usage: "the manifest's `FILE`"},
			&cli.StringSliceFlag{Name: "split", Usage: "a split's `DIR`, made from --manifest; repeatable"},
			&cli.StringSliceFlag{Name: "runs", Usage: "`DIR` below which trainings are looked for; repeatable"},
			&cli.StringFlag{Name: "root", Usage: "the data set's `DIR`, for --delete-photos"},
			&cli.BoolFlag{Name: "delete-photos", Usage: "delete the photos of everything in the list below --root"},
			&cli.BoolFlag{Name: "allow-unknown", Usage: "put into the list also what nothing that is given has"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would happen, change nothing"},
		},
		Action: e.curateForget,
	}
}

func (e *env) curateForget(c *cli.Context) error {
	o := curate.ForgetOptions{
		What: c.Args().Slice(), Why: c.String("why"), Date: c.String("date"), Tombstones: c.String("tombstones"),
		Shards: c.StringSlice("shards"), Manifest: c.String("manifest"), Splits: c.StringSlice("split"), Runs: c.StringSlice("runs"),
		Root: c.String("root"), DeletePhotos: c.Bool("delete-photos"),
		AllowUnknown: c.Bool("allow-unknown"), DryRun: c.Bool("dry-run"), Progress: e.progress(c),
	}
	for _, name := range o.What {
		if strings.HasPrefix(name, "-") {
			return usage("%s: %s after a name; names go before all flags or behind them", c.Command.HelpName, name)
		}
	}
	if o.Date == "" {
		o.Date = time.Now().UTC().Format(time.DateOnly)
	}
	if file := c.String("list"); file != "" {
		names, err := curate.ReadNames(file)
		if err != nil {
			return err
		}
		o.What = append(o.What, names...)
	}
	r, err := curate.Forget(c.Context, o)
	if errors.Is(err, curate.ErrOption) {
		return usage("%w", err)
	}
	if r == nil {
		return err
	}
	if printed := e.result(c, r, func(w io.Writer) { printForgotten(w, r) }); printed != nil {
		return printed
	}
	if err == nil && !r.DryRun && len(o.Shards) > 0 {
		e.hint(c, "run \"vf2prep cache verify --shards %s --tombstones %s\": it proves that nothing is left", o.Shards[0], o.Tombstones)
	}
	return err
}

func printForgotten(w io.Writer, r *curate.Forgotten) {
	for _, what := range r.Again {
		fmt.Fprintf(w, "%s: in the list already\n", what)
	}
	for _, what := range r.New {
		if slices.Contains(r.Unknown, what) {
			fmt.Fprintf(w, "%s: unknown, put into the list\n", what)
		} else if r.DryRun {
			fmt.Fprintf(w, "%s: would be put into the list\n", what)
		} else {
			fmt.Fprintf(w, "%s: put into the list\n", what)
		}
	}
	anew, removed, deleted := "written anew", "removed, left of a build that was cut off", "deleted"
	if r.DryRun {
		anew, removed, deleted = "would be written anew", "would be removed, left of a build that was cut off", "would be deleted"
	}
	for _, f := range r.Files {
		if f.Lost > 0 {
			fmt.Fprintf(w, "%s: %s without %d images\n", f.Path, anew, f.Lost)
		} else {
			fmt.Fprintf(w, "%s: %s\n", f.Path, anew)
		}
	}
	for _, name := range r.Removed {
		fmt.Fprintf(w, "%s: %s\n", name, removed)
	}
	if n := len(r.Photos); n > 0 {
		fmt.Fprintf(w, "%d photos %s\n", n, deleted)
	}
	if len(r.Files)+len(r.Removed)+len(r.Photos) == 0 {
		fmt.Fprintln(w, "nothing that was given holds any of it")
	}
	for _, t := range r.Twins {
		fmt.Fprintf(w, "%s has the very pixels of %s and stays: is it the same person?\n", t.Key, t.Of)
	}
	for _, run := range r.Runs {
		fmt.Fprintf(w, "run %s had seen %s (%s %s)\n", run.Run, strings.Join(run.What, " "), run.How, run.Digest)
	}
	for _, open := range r.Open {
		fmt.Fprintf(w, "operation %d was cut off on other files: run it again with %s\n", open.ID, strings.Join(open.Targets, " "))
	}
	for _, f := range r.Traces {
		fmt.Fprintf(w, "trace: %s: section %s: %s\n", f.Shard, f.Section, f.Detail)
	}
}
