package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/manifest"
	"github.com/vf2prep/vf2prep/shard"
)

func (e *env) cacheCommand() *cli.Command {
	plan := []cli.Flag{
		&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote", Required: true},
		&cli.StringFlag{Name: "split", Usage: "the `DIR` that split make wrote", Required: true},
		&cli.StringFlag{Name: "recipe", Value: "arcface-112", Usage: strings.Join(cache.Recipes(), ", ") + ", or a `FILE.yaml`"},
		&cli.StringFlag{Name: "size", Usage: "`ROWSxCOLUMNS` of a sample, pixels, instead of the recipe's"},
		&cli.StringFlag{Name: "encoding", Usage: "how shards keep a sample: raw pixels, or jpeg, which takes a tenth of the room and is slower to train from (default: the recipe's)"},
		&cli.IntFlag{Name: "quality", Value: cache.DefaultQuality, Usage: "of --encoding jpeg, 1 to 100"},
		&cli.StringFlag{Name: "out", Usage: "`DIR` for the shards", Required: true},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the order of the samples"},
		&cli.Int64Flag{Name: "shard-size", Value: 128, Usage: "most MiB of samples in a shard"},
	}
	source := []cli.Flag{
		tombstonesFlag("images that must not become samples: they are rejects that name nobody, and don't count towards --max-rejects"),
		&cli.StringFlag{Name: "root", Usage: "the data set's `DIR`, the one manifest build was given"},
		&cli.StringSliceFlag{Name: "tar", Usage: "read the photos from this `FILE` instead, plain or gzipped, in one pass without unpacking; may be given several times"},
		&cli.IntFlag{Name: "workers", Usage: "goroutines that decode; 0: one per CPU"},
		&cli.StringFlag{Name: "memory", Value: "1GiB", Usage: "for samples under way, such as 512MiB, at least one shard; the program itself takes less than 200 MiB more"},
		&cli.StringFlag{Name: "max-rejects", Value: "1%", Usage: "how many images may be rejected, a `NUMBER` or a share"},
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

A build that was stopped or killed goes on where it was when the command is run again.

Examples:
  vf2prep cache build --manifest manifest.parquet --split split/ --root DIR --recipe arcface-112 --out shards/
  vf2prep cache build --manifest manifest.parquet --split split/ --tar vggface2_train.tar.gz --tar vggface2_test.tar.gz --out shards/
  vf2prep cache build --manifest manifest.parquet --split split/ --root DIR --encoding jpeg --quality 90 --out small/
  vf2prep cache build --manifest manifest.parquet --split split/ --root DIR --recipe arcface-112 --size 64x64 --workers 2 --out small/`,
				Flags:  append(append([]cli.Flag{}, plan...), source...),
				Action: e.cacheBuild,
			},
			{
				Name:  "verify",
				Usage: "read every byte of a shard set and name what is damaged",
				Description: `Examples:
  vf2prep cache verify --shards shards/
  vf2prep cache verify --shards shards/ --tombstones tombstones.csv`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "shards", Usage: "the set's `DIR`", Required: true},
					tombstonesFlag("prove also that nothing of these is in any of the set's files"),
				},
				Action: e.cacheVerify,
			},
			{
				Name:  "repair",
				Usage: "make anew the shards that verify condemns, and only those",
				Description: `Recipe, seed and shard size are read from the set.

Examples:
  vf2prep cache repair --shards shards/ --manifest manifest.parquet --split split/ --root DIR`,
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "shards", Usage: "the set's `DIR`", Required: true},
					&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that the set was made from", Required: true},
					&cli.StringFlag{Name: "split", Usage: "the `DIR` that the set was made from", Required: true},
				}, source...),
				Action: e.cacheRepair,
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

// tombstonesFlag is the list that curate forget keeps.
func tombstonesFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "tombstones", Usage: "`FILE` that curate forget keeps: " + usage}
}

// tombstones reads the list of --tombstones; nil where there is none.
func tombstones(c *cli.Context) (*manifest.Tombstones, error) {
	if path := c.String("tombstones"); path != "" {
		return manifest.ReadTombstones(path)
	}
	return nil, nil
}

func planOptions(c *cli.Context) (cache.PlanOptions, error) {
	r, err := cache.LoadRecipe(c.String("recipe"), c.String("size"))
	if err != nil {
		return cache.PlanOptions{}, usage("%w", err)
	}
	if encoding := c.String("encoding"); encoding != "" {
		if err := r.Encode(encoding, c.Int("quality")); err != nil {
			return cache.PlanOptions{}, usage("%w", err)
		}
	} else if c.IsSet("quality") {
		return cache.PlanOptions{}, usage("--quality is for --encoding jpeg")
	}
	if n := c.Int64("shard-size"); n < 1 || n > 1<<14 {
		return cache.PlanOptions{}, usage("--shard-size %d, want 1 to %d MiB", n, 1<<14)
	}
	forget, err := tombstones(c)
	return cache.PlanOptions{
		Manifest: c.String("manifest"), Split: c.String("split"), Recipe: r,
		Out: c.String("out"), Seed: c.Uint64("seed"), ShardSize: c.Int64("shard-size") << 20, Tombstones: forget,
	}, err
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

// buildOptions reads the flags that say where photos come from and what may be taken for the work.
func (e *env) buildOptions(c *cli.Context) (cache.BuildOptions, cache.Allowance, error) {
	fail := func(err error) (cache.BuildOptions, cache.Allowance, error) {
		return cache.BuildOptions{}, cache.Allowance{}, err
	}
	allowed, err := cache.ParseAllowance(c.String("max-rejects"))
	if err != nil {
		return fail(usage("--max-rejects: %w", err))
	}
	memory, err := parseSize(c.String("memory"))
	if err != nil {
		return fail(usage("--memory: %w", err))
	}
	root, archives := c.String("root"), c.StringSlice("tar")
	if (root == "") == (len(archives) == 0) {
		return fail(usage("%s: give either --root or --tar", c.Command.HelpName))
	}
	return cache.BuildOptions{Root: root, Archives: archives, Workers: c.Int("workers"), Memory: memory, Progress: e.progress(c)}, allowed, nil
}

// parseSize reads a number of bytes such as 1GiB, 512MiB or 800MB.
func parseSize(text string) (int64, error) {
	for _, u := range []struct {
		name string
		unit float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}} {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if n := v * u.unit; err == nil && n >= 1 && n < 1<<60 {
				return int64(n), nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no size such as 1GiB or 512MiB", text)
}

func (e *env) cacheBuild(c *cli.Context) error {
	o, err := planOptions(c)
	if err != nil {
		return err
	}
	how, allowed, err := e.buildOptions(c)
	if err != nil {
		return err
	}
	p, err := cache.MakePlan(o)
	if err != nil {
		return err
	}
	if !p.Fits { // as far as it goes; what is finished stays
		fmt.Fprintf(e.stderr, "warning: %s has %s free, the shards take %s\n", o.Out, size(p.Free), size(p.Bytes))
	}
	s, err := p.Build(c.Context, how)
	if err != nil {
		return err
	}
	heads := ""
	if p.Classes == 0 {
		heads = " --heads gender,age"
	}
	e.hint(c, "run \"vf2prep train --shards %s --arch seed-resnet-relu%s --out runs/first\"", o.Out, heads)
	err = e.result(c, s, func(w io.Writer) { printSummary(w, s) })
	if err != nil {
		return err
	}
	return tooManyRejects(s, allowed, o.Out)
}

func printSummary(w io.Writer, s *cache.Summary) {
	fmt.Fprintf(w, "%d samples of %d images in %d shards, %s; %d shards were there already", s.Samples, s.Images, s.Shards, size(s.Bytes), s.Reused)
	if s.Resumed > 0 {
		fmt.Fprintf(w, ", and %d samples of others", s.Resumed)
	}
	fmt.Fprintf(w, "\n%.1f s, %.0f images/s\n", s.Seconds, s.ImagesPerSecond)
	for _, reason := range sortedKeys(s.Reasons) {
		fmt.Fprintf(w, "rejected %6d: %s\n", s.Reasons[reason], reason)
	}
}

func tooManyRejects(s *cache.Summary, allowed cache.Allowance, dir string) error {
	if n := allowed.Of(s.Images); s.Rejected-s.Forgotten > n {
		return incomplete("%d of %d images were rejected, %d are allowed: see %s in %s", s.Rejected-s.Forgotten, s.Images, n, cache.RejectsName, dir)
	}
	return nil
}

func (e *env) cacheRepair(c *cli.Context) error {
	how, allowed, err := e.buildOptions(c)
	if err != nil {
		return err
	}
	forget, err := tombstones(c)
	if err != nil {
		return err
	}
	dir := c.String("shards")
	r, err := cache.Repair(c.Context, dir, c.String("manifest"), c.String("split"), forget, how)
	if err != nil {
		return err
	}
	err = e.result(c, r, func(w io.Writer) {
		printFaults(w, r.Check)
		for _, name := range r.Restored {
			fmt.Fprintf(w, "%s: as it was\n", name)
		}
		for _, name := range r.Changed {
			fmt.Fprintf(w, "%s: sound, but not as it was: its photos are not what they were, see %s\n", name, cache.RejectsName)
		}
		fmt.Fprintf(w, "%d made anew, %d of %d shards left as they are\n", len(r.Restored)+len(r.Changed), r.Summary.Reused, r.Summary.Shards)
	})
	if err != nil {
		return err
	}
	if len(r.Changed) > 0 {
		return incomplete("%d shards are not what they were", len(r.Changed))
	}
	return tooManyRejects(r.Summary, allowed, dir)
}

func (e *env) cacheVerify(c *cli.Context) error {
	dir := c.String("shards")
	forget, err := tombstones(c)
	if err != nil {
		return err
	}
	var both struct {
		*shard.Check
		Traces *cache.Traces `json:"traces,omitempty"`
	}
	if both.Check, err = shard.Verify(c.Context, dir, e.progress(c)); err != nil {
		return err
	}
	if c.IsSet("tombstones") {
		if both.Traces, err = cache.FindTraces(c.Context, dir, forget); err != nil {
			return err
		}
	}
	if err := e.result(c, both, func(w io.Writer) {
		printFaults(w, both.Check)
		if both.Traces != nil {
			printTraces(w, both.Traces)
		}
	}); err != nil {
		return err
	}
	if len(both.Faults) > 0 {
		e.hint(c, "run \"vf2prep cache repair --shards %s\" with the manifest, the split and the photos: it makes damaged shards anew", dir)
		return fmt.Errorf("the shard set is damaged")
	}
	if both.Traces != nil && len(both.Traces.Found) > 0 {
		e.hint(c, "run \"vf2prep curate forget --tombstones %s --shards %s\"", c.String("tombstones"), dir)
		return fmt.Errorf("the shard set holds what is to be forgotten")
	}
	return nil
}

func printTraces(w io.Writer, t *cache.Traces) {
	for _, f := range t.Found {
		at := ""
		if f.Sample >= 0 {
			at = fmt.Sprintf(": sample %d %s", f.Sample, f.Key)
		} else if f.Key != "" {
			at = ": " + f.Key
		}
		fmt.Fprintf(w, "%s: section %s%s: %s\n", f.Shard, f.Section, at, f.Detail)
	}
	if len(t.Found) == 0 {
		fmt.Fprintf(w, "nothing is left of %d tombstones: each byte of %d shards is of one of %d samples that may stay, and %d other files name nobody who may not\n",
			t.Tombstones, t.Shards, t.Samples, t.Files)
		return
	}
	fmt.Fprintf(w, "%d traces of %d tombstones\n", len(t.Found), t.Tombstones)
}

func printFaults(w io.Writer, r *shard.Check) {
	for _, f := range r.Faults {
		at := ""
		if f.Sample >= 0 {
			at = fmt.Sprintf(": sample %d %s", f.Sample, f.Key)
		}
		fmt.Fprintf(w, "%s: section %s%s: %s\n", f.Shard, f.Section, at, f.Detail)
	}
	fmt.Fprintf(w, "%d shards, %d samples, %s: %d faults\n", r.Shards, r.Samples, size(r.Bytes), len(r.Faults))
}

func (e *env) cacheInfo(c *cli.Context) error {
	set, err := shard.Open(c.String("shards"))
	if err != nil {
		return err
	}
	defer set.Close()
	x := set.Index()
	return e.result(c, x, func(w io.Writer) {
		fmt.Fprintf(w, "recipe    %s, samples of %v bytes, %s, kept %s\n", x.Recipe, x.Shape, x.Channels, x.Encoding)
		for _, name := range set.Parts() {
			p := x.Parts[name]
			fmt.Fprintf(w, "%-9s %d samples in %d shards, %d rejected\n", name, p.Samples, len(p.Shards), p.Rejected)
		}
		fmt.Fprintf(w, "classes   %d\n", len(x.Classes))
		fmt.Fprintf(w, "manifest  %s\nsplit     %s\nrecipe    %s\nset       %s\n", x.Manifest, x.Split, x.RecipeDigest, set.Digest())
	})
}
