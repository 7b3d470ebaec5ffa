package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/curate"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) curateLeaksCommand() *cli.Command {
	return &cli.Command{
		Name:  "leaks",
		Usage: "find people and images that a benchmark has too",
		Description: `Names are compared without case, accents and blanks, then by their words in any order; images
by what they show, as curate duplicates does. In --out: leaks.csv, leaks.json with the counts, and
exclude.txt, which split make --exclude and eval verify --exclude take. Of a data set whose folders have
names, such as LFW itself, these are the names.

Examples:
  vf2prep curate leaks --manifest manifest.parquet --people lfw/people.txt --out leaks/
  vf2prep curate leaks --manifest manifest.parquet --root vggface2/ --people lfw/ --images lfw/ --out leaks/
  vf2prep curate leaks --shards shards/ --images lfw-crops/ --out leaks/ --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` for lists", Required: true},
			&cli.StringFlag{Name: "manifest", Usage: "`FILE` that manifest build wrote: the people, and with --root the photos"},
			&cli.StringFlag{Name: "identity-names", Usage: "identity_meta.csv `FILE`, where the manifest has no names"},
			&cli.StringFlag{Name: "people", Usage: "`FILE` of the benchmark's names: people.txt, pairs.txt, a name a line; or a folder with one of each person"},
			&cli.StringFlag{Name: "column", Usage: "--people is a CSV file; its column with the names"},
			&cli.StringFlag{Name: "images", Usage: "`DIR` of the benchmark's images"},
			&cli.StringFlag{Name: "root", Usage: "`DIR` of the manifest's photos"},
			&cli.StringFlag{Name: "shards", Usage: "`DIR` that cache build wrote: samples instead of photos"},
			&cli.StringSliceFlag{Name: "hashes", Usage: "hashes.bin `FILE` of curate duplicates or of other leaks, of which no image is decoded again; repeatable"},
			&cli.IntFlag{Name: "distance", Value: curate.UsualDistance, Usage: fmt.Sprintf("bits that two hashes may differ in, 0 to %d", curate.MaxDistance)},
			&cli.Float64Flag{Name: "difference", Value: curate.UsualDifference, Usage: "mean difference of two small pictures scaled to a standard deviation of 64, 0 to 128"},
			&cli.BoolFlag{Name: "fail-on-found", Usage: "exit 1 when anything is found"},
			threadsFlag(),
		},
		Action: e.curateLeaks,
	}
}

func (e *env) curateLeaks(c *cli.Context) error {
	from, people, images, root, shards := c.String("manifest"), c.String("people"), c.String("images"), c.String("root"), c.String("shards")
	named := c.String("identity-names")
	if named == "" {
		named = from
	}
	switch {
	case people == "" && images == "":
		return usage("curate leaks: give --people, --images or both")
	case people != "" && named == "":
		return usage("curate leaks: --people needs --manifest or --identity-names")
	case images != "" && shards == "" && (from == "" || root == ""):
		return usage("curate leaks: --images needs --shards, or --manifest and --root")
	case c.String("column") != "" && people == "":
		return usage("curate leaks: --column is of --people, which is missing")
	case !(c.Float64("difference") >= 0 && c.Float64("difference") <= 128):
		return usage("--difference: %g, want 0 to 128", c.Float64("difference"))
	case c.Int("distance") < 0 || c.Int("distance") > curate.MaxDistance:
		return usage("--distance: %d bits, want 0 to %d", c.Int("distance"), curate.MaxDistance)
	}
	restore, err := setThreads(c)
	if err != nil {
		return err
	}
	defer restore()
	o := curate.LeakOptions{Images: images, Out: c.String("out"), Progress: e.progress(c)}
	if named != "" {
		if o.Names, err = manifest.Names(c.Context, named); err != nil {
			return err
		}
	}
	if people != "" {
		if len(o.Names) == 0 && from != "" {
			if o.Names, err = folderNames(from); err != nil {
				return err
			}
		}
		if len(o.Names) == 0 {
			return fmt.Errorf("%s has no name of anybody; give identity_meta.csv as --identity-names", named)
		}
		if o.Against, err = curate.ReadPeople(people, c.String("column")); err != nil {
			return err
		}
	}
	o.Data = curate.DuplicateOptions{Root: root, Hashes: c.StringSlice("hashes"), Distance: c.Int("distance"), Difference: c.Float64("difference")}
	if images != "" && shards != "" {
		if o.Data.Shards, err = shard.Open(shards); err != nil {
			return err
		}
		defer o.Data.Shards.Close()
	} else if images != "" {
		if o.Data.Manifest, err = manifest.Open(from); err != nil {
			return err
		}
		defer o.Data.Manifest.Close()
	}
	l, err := curate.FindLeaks(c.Context, o)
	if err != nil {
		return err
	}
	if err := e.result(c, l, l.Print); err != nil {
		return err
	}
	if n := len(l.List); n > 0 {
		e.hint(c, "run \"vf2prep split make --manifest FILE --exclude %s --out DIR\"", filepath.Join(o.Out, "exclude.txt"))
		if c.Bool("fail-on-found") {
			return &codeError{exitFailed, fmt.Errorf("%d leaks, see %s", n, o.Out), ""}
		}
	}
	return nil
}

// folderNames takes identities for names where these are folders, as in LFW.
func folderNames(path string) (map[string]string, error) {
	m, err := manifest.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	names := map[string]string{}
	if m.Layout() == manifest.Folders {
		for _, id := range m.Identities() {
			names[id.ID] = id.ID
		}
	}
	return names, nil
}
