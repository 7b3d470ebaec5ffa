package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/importer"
)

func (e *env) importCommand() *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "make shards of what other programs wrote",
		Subcommands: []*cli.Command{{
			Name:      "mxnet-rec",
			Usage:     "of a record file of MXNet, such as InsightFace's train.rec",
			ArgsUsage: "FILE.rec",
			Description: `Labels become the classes id000000, id000001, ... and images id000000/0001_01 and so on, in the order of the
file. A file "property" beside it (classes,height,width) says how many classes there are; .idx and .lst are not needed. JPEGs
of the samples' size are kept byte for byte, unless --encoding raw asks for pixels.

The file is read twice and never believed: damaged records, images that can't be decoded or have another size, and
labels that are none are listed in rejects.csv with their place; more than --max-rejects of them make exit code 3. An
import that was stopped or killed goes on where it was when the command is run again.

Examples:
  vf2prep import mxnet-rec faces_emore/train.rec --out shards/
  vf2prep import mxnet-rec faces_emore/train.rec --val 2 --encoding raw --out shards/
  vf2prep import mxnet-rec photos.rec --size 112x112 --out shards/`,
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "out", Usage: "`DIR` for the shards, new or empty", Required: true},
				&cli.StringFlag{Name: "size", Usage: "`ROWSxCOLUMNS` of a sample; images of another size are stretched (default: the first image's, and others are rejects)"},
				&cli.StringFlag{Name: "encoding", Usage: "how shards keep a sample: raw or jpeg (default: what the first image is)"},
				&cli.IntFlag{Name: "quality", Usage: fmt.Sprintf("of JPEGs that have to be made, 1 to 100 (default: %d)", importer.DefaultQuality)},
				&cli.IntFlag{Name: "val", Usage: "the first `N` images of each identity that has more are part val"},
				&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the order of the samples"},
				&cli.Int64Flag{Name: "shard-size", Value: 128, Usage: "most MiB of samples in a shard"},
				&cli.StringFlag{Name: "max-rejects", Value: "1%", Usage: "how many images may be rejected, a `NUMBER` or a share"},
				&cli.IntFlag{Name: "workers", Usage: "shards that are made at once; 0: one per CPU"},
			},
			Action: e.importRec,
		}},
	}
}

// rowsColumns reads "112x96".
func rowsColumns(text string) (rows, columns int, err error) {
	a, b, _ := strings.Cut(text, "x")
	rows, errA := strconv.Atoi(a)
	columns, errB := strconv.Atoi(b)
	if errA != nil || errB != nil || rows < 1 || columns < 1 {
		return 0, 0, fmt.Errorf("%q is no size such as 112x112", text)
	}
	return rows, columns, nil
}

func (e *env) importRec(c *cli.Context) error {
	for _, name := range c.Args().Slice() {
		if strings.HasPrefix(name, "-") {
			return usage("%s: %s after the file; a file goes before all flags or behind them", c.Command.HelpName, name)
		}
	}
	if c.NArg() != 1 {
		return usage("give one record file, found %d", c.NArg())
	}
	o := importer.Options{
		Rec: c.Args().First(), Out: c.String("out"), Encoding: c.String("encoding"), Quality: c.Int("quality"), Val: c.Int("val"),
		Seed: c.Uint64("seed"), ShardSize: c.Int64("shard-size") << 20, Workers: c.Int("workers"), Progress: e.progress(c),
	}
	if c.IsSet("size") {
		var err error
		if o.Height, o.Width, err = rowsColumns(c.String("size")); err != nil {
			return usage("--size: %w", err)
		}
	}
	allowed, err := cache.ParseAllowance(c.String("max-rejects"))
	if err != nil {
		return usage("--max-rejects: %w", err)
	}
	s, err := importer.Import(c.Context, o)
	if errors.Is(err, importer.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	err = e.result(c, s, func(w io.Writer) {
		fmt.Fprintf(w, "%d samples of %d images in %d records, %d identities, %dx%d, %s\n", s.Samples, s.Images, s.Records, s.Identities, s.Size[0], s.Size[1], s.Encoding)
		fmt.Fprintf(w, "%d shards, %s", s.Shards, size(s.Bytes))
		if s.Reused > 0 {
			fmt.Fprintf(w, "; %d were there already", s.Reused)
		}
		fmt.Fprintf(w, "\n%.1f s, %.0f samples/s\n", s.Seconds, s.SamplesPerSecond)
		for _, reason := range sortedKeys(s.Reasons) {
			fmt.Fprintf(w, "rejected %6d: %s\n", s.Reasons[reason], reason)
		}
	})
	if err != nil {
		return err
	}
	if s.Missing > 0 {
		return incomplete("%s has %d images fewer than its first record counts: was it cut off?", o.Rec, s.Missing)
	}
	if n := allowed.Of(s.Images); s.Rejected > n {
		return incomplete("%d of %d images were rejected, %d are allowed: see %s in %s", s.Rejected, s.Images, n, cache.RejectsName, o.Out)
	}
	return nil
}
