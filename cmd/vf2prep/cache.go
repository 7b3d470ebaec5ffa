package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) cacheCommand() *cli.Command {
	plan := []cli.Flag{
		&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote", Required: true},
		&cli.StringFlag{Name: "split", Usage: "the `DIR` that split make wrote", Required: true},
		&cli.StringFlag{Name: "recipe", Value: "arcface-112", Usage: strings.Join(cache.Recipes(), ", ") + ", or a `FILE.yaml`"},
		&cli.StringFlag{Name: "size", Usage: "`ROWSxCOLUMNS` of a sample, pixels, instead of the recipe's"},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the shards", Required: true},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the order of the samples"},
		&cli.Int64Flag{Name: "shard-size", Value: 128, Usage: "most MiB of pixels in a shard; two are held in memory"},
	}
	return &cli.Command{
		Name:  "cache",
		Usage: "crop or align every photo once and keep the pixels in shards",
		Subcommands: []*cli.Command{
			{
				Name:  "plan",
				Usage: "say how many images, shards and bytes a build comes to, and whether they fit",
				Description: `Examples:
  vf2prep cache plan --manifest manifest.parquet --split split/ --recipe vggface2-256 --out shards/`,
				Flags:  append([]cli.Flag{}, plan...),
				Action: e.cachePlan,
			},
			{
				Name:  "build",
				Usage: "make the shards, or those that are missing after an interruption",
				Description: `Images that can't be made are listed in rejects.csv with the reason; more than
--max-rejects of them make exit code 3.

Examples:
  vf2prep cache build --manifest manifest.parquet --split split/ --root DIR --recipe arcface-112 --out shards/
  vf2prep cache build --manifest manifest.parquet --split split/ --root DIR --recipe arcface-112 --size 64x64 --workers 2 --out small/`,
				Flags: append(append([]cli.Flag{}, plan...),
					&cli.StringFlag{Name: "root", Usage: "the data set's `DIR`, the one manifest build was given", Required: true},
					&cli.IntFlag{Name: "workers", Usage: "goroutines that decode; 0: one per CPU"},
					&cli.StringFlag{Name: "max-rejects", Value: "1%", Usage: "how many images may be rejected, a `NUMBER` or a share"},
				),
				Action: e.cacheBuild,
			},
			{
				Name:  "verify",
				Usage: "read every byte of a shard set and name what is damaged",
				Description: `Examples:
  vf2prep cache verify --shards shards/`,
				Flags:  []cli.Flag{&cli.StringFlag{Name: "shards", Usage: "the set's `DIR`", Required: true}},
				Action: e.cacheVerify,
			},
			{
				Name:  "info",
				Usage: "say what a shard set holds and what it was made from",
				Description: `Examples:
  vf2prep cache info --shards shards/`,
				Flags:  []cli.Flag{&cli.StringFlag{Name: "shards", Usage: "the set's `DIR`", Required: true}},
				Action: e.cacheInfo,
			},
		},
	}
}

func planOptions(c *cli.Context) (cache.PlanOptions, error) {
	r, err := cache.LoadRecipe(c.String("recipe"), c.String("size"))
	if err != nil {
		return cache.PlanOptions{}, usage("%w", err)
	}
	if n := c.Int64("shard-size"); n < 1 || n > 1<<14 {
		return cache.PlanOptions{}, usage("--shard-size %d, want 1 to %d MiB", n, 1<<14)
	}
	return cache.PlanOptions{
		Manifest: c.String("manifest"), Split: c.String("split"), Recipe: r,
		Out: c.String("out"), Seed: c.Uint64("seed"), ShardSize: c.Int64("shard-size") << 20,
	}, nil
}

func (e *env) cachePlan(c *cli.Context) error {
	o, err := planOptions(c)
	if err != nil {
		return err
	}
	p, err := cache.MakePlan(o)
	if err != nil {
		return err
	}
	err = e.result(c, p, func(w io.Writer) {
		for _, part := range p.Parts {
			fmt.Fprintf(w, "%-6s %9d images  %5d shards of %d\n", part.Part, part.Images, part.Shards, part.PerShard)
		}
		fmt.Fprintf(w, "%s: samples of %v bytes, %s in all, ", p.Recipe, p.Shape, size(p.Bytes))
		switch {
		case p.Free < 0:
			fmt.Fprintln(w, "free space unknown")
		case p.Fits:
			fmt.Fprintf(w, "%s free\n", size(p.Free))
		default:
			fmt.Fprintf(w, "only %s free\n", size(p.Free))
		}
	})
	if err == nil && !p.Fits {
		return fmt.Errorf("%s has %s free, the shards take %s", o.Out, size(p.Free), size(p.Bytes))
	}
	return err
}

func (e *env) cacheBuild(c *cli.Context) error {
	o, err := planOptions(c)
	if err != nil {
		return err
	}
	allowed, err := cache.ParseAllowance(c.String("max-rejects"))
	if err != nil {
		return usage("--max-rejects: %w", err)
	}
	p, err := cache.MakePlan(o)
	if err != nil {
		return err
	}
	if !p.Fits { // as far as it goes; what is finished stays
		fmt.Fprintf(e.stderr, "warning: %s has %s free, the shards take %s\n", o.Out, size(p.Free), size(p.Bytes))
	}
	s, err := p.Build(c.Context, cache.BuildOptions{Root: c.String("root"), Workers: c.Int("workers"), Progress: e.progress(c)})
	if err != nil {
		return err
	}
	e.hint(c, "run \"vf2prep train --shards %s --arch seed-resnet-relu --out runs/first\"", o.Out)
	err = e.result(c, s, func(w io.Writer) {
		fmt.Fprintf(w, "%d samples of %d images in %d shards, %s; %d shards were there already\n", s.Samples, s.Images, s.Shards, size(s.Bytes), s.Reused)
		fmt.Fprintf(w, "%.1f s, %.0f images/s\n", s.Seconds, s.ImagesPerSecond)
		for _, reason := range sortedKeys(s.Reasons) {
			fmt.Fprintf(w, "rejected %6d: %s\n", s.Reasons[reason], reason)
		}
	})
	if err != nil {
		return err
	}
	if n := allowed.Of(s.Images); s.Rejected > n {
		return incomplete("%d of %d images were rejected, %d are allowed: see %s in %s", s.Rejected, s.Images, n, cache.RejectsName, o.Out)
	}
	return nil
}

func (e *env) cacheVerify(c *cli.Context) error {
	r, err := shard.Verify(c.Context, c.String("shards"), e.progress(c))
	if err != nil {
		return err
	}
	err = e.result(c, r, func(w io.Writer) {
		for _, f := range r.Faults {
			at := ""
			if f.Sample >= 0 {
				at = fmt.Sprintf(": sample %d %s", f.Sample, f.Key)
			}
			fmt.Fprintf(w, "%s: section %s%s: %s\n", f.Shard, f.Section, at, f.Detail)
		}
		fmt.Fprintf(w, "%d shards, %d samples, %s: %d faults\n", r.Shards, r.Samples, size(r.Bytes), len(r.Faults))
	})
	if err == nil && len(r.Faults) > 0 {
		e.hint(c, "run cache build again with the same flags: it makes damaged shards anew")
		err = fmt.Errorf("the shard set is damaged")
	}
	return err
}

func (e *env) cacheInfo(c *cli.Context) error {
	set, err := shard.Open(c.String("shards"))
	if err != nil {
		return err
	}
	defer set.Close()
	x := set.Index()
	return e.result(c, x, func(w io.Writer) {
		fmt.Fprintf(w, "recipe    %s, samples of %v bytes, %s\n", x.Recipe, x.Shape, x.Channels)
		for _, name := range set.Parts() {
			p := x.Parts[name]
			fmt.Fprintf(w, "%-9s %d samples in %d shards, %d rejected\n", name, p.Samples, len(p.Shards), p.Rejected)
		}
		fmt.Fprintf(w, "classes   %d\n", len(x.Classes))
		fmt.Fprintf(w, "manifest  %s\nsplit     %s\nrecipe    %s\nset       %s\n", x.Manifest, x.Split, x.RecipeDigest, set.Digest())
	})
}
