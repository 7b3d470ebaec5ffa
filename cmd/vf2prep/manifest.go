package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vf2prep/vf2prep/manifest"
)

func (e *env) manifestCommand() *cli.Command {
	return &cli.Command{
		Name:  "manifest",
		Usage: "find out what a VGGFace2 tree holds, and write it down",
		Subcommands: []*cli.Command{
			{
				Name:  "build",
				Usage: "read the tree and its metadata into one Parquet file",
				Description: `Metadata is looked for below the root, in meta/, bb_landmark/, attributes/, the root
itself and the same in data/; a flag names another file, or "none" for no file at all.
What does not fit together is counted in the summary and recorded on the image's row; it is no
failure unless --strict is given. A directory that can't be read ends with exit code 3.

Layout folders takes every directory below the root for an identity and every JPEG in it for an
image, whatever they are called: LFW, CASIA-WebFace, MS1M and other people's own. Layout utkface takes every age_gender_race_time.jpg (or .jpg.chip.jpg) below the root; age,
gender and race come from the name, and a name that does not tell them is a problem "bad-name".
Its images have no identities.

Examples:
  vf2prep manifest build --root vggface2/ --out manifest.parquet
  vf2prep manifest build --root vggface2/ --ages my_ages.csv --attributes MAAD_Face.csv --out manifest.parquet
  vf2prep manifest build --root vggface2/ --no-scan --out manifest.parquet
  vf2prep manifest build --layout folders --root lfw/ --boxes boxes.csv --out lfw.parquet
  vf2prep manifest build --layout utkface --root UTKFace/ --out utkface.parquet`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "root", Usage: "`DIR` that holds train/ and test/ (or data/train/ and data/test/); of other layouts the images", Required: true},
					&cli.StringFlag{Name: "layout", Value: string(manifest.VGGFace2), Usage: "how the data set names its files: vggface2, folders or utkface"},
					&cli.StringFlag{Name: "out", Usage: "the Parquet `FILE` to write", Required: true},
					&cli.StringFlag{Name: "identity-meta", Usage: "identity_meta.csv `FILE`, in any known variant"},
					&cli.StringSliceFlag{Name: "list", Usage: "list `FILE` such as train_list.txt; repeatable"},
					&cli.StringSliceFlag{Name: "boxes", Usage: "loose_bb CSV `FILE`; repeatable"},
					&cli.StringSliceFlag{Name: "landmarks", Usage: "loose_landmark CSV `FILE`; repeatable"},
					&cli.StringSliceFlag{Name: "ages", Usage: "CSV `FILE` of NAME_ID,age in years; repeatable, the first age counts"},
					&cli.StringFlag{Name: "identity-ages", Usage: "`FILE` of mean ages: Class_ID,age or identity_meta.csv with a sixth column"},
					&cli.StringSliceFlag{Name: "attributes", Usage: "NN-Name.txt, MAAD_Face.csv or a directory of them, `PATH`; repeatable"},
					tombstonesFlag("images and identities to leave out"),
					&cli.BoolFlag{Name: "no-scan", Usage: "do not open the images: no sizes, formats or digests"},
					&cli.BoolFlag{Name: "trust-list", Usage: "do not list directories: an image is there if a list says so"},
					&cli.IntFlag{Name: "workers", Usage: "how many files are read at a time; 0 is one a CPU"},
					&cli.BoolFlag{Name: "strict", Usage: "exit code 1 when any problem was found"},
				},
				Action: e.manifestBuild,
			},
			{
				Name:  "verify",
				Usage: "hold a manifest against the files",
				Description: `Every file is read again; length, digest and header must be those of its row. Images that
are missing, changed or not in the manifest are listed; then the exit code is 1.

Examples:
  vf2prep manifest verify --manifest manifest.parquet --root vggface2/`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote", Required: true},
					&cli.StringFlag{Name: "root", Usage: "`DIR` that it was built from", Required: true},
					&cli.IntFlag{Name: "limit", Value: 20, Usage: "list at most so many findings; 0 is all. All are counted"},
					&cli.IntFlag{Name: "workers", Usage: "how many files are read at a time; 0 is one a CPU"},
				},
				Action: e.manifestVerify,
			},
			{
				Name:  "stats",
				Usage: "counts and distributions of a manifest",
				Description: `With --identity-meta instead of --manifest that file alone is counted, in any of its variants;
images are then the sum of Sample_Num.

Examples:
  vf2prep manifest stats --manifest manifest.parquet --plots plots/
  vf2prep manifest stats --identity-meta identity_meta.csv --json`,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "manifest", Usage: "the `FILE` that manifest build wrote"},
					&cli.StringFlag{Name: "identity-meta", Usage: "an identity_meta.csv `FILE` alone"},
					&cli.StringFlag{Name: "plots", Usage: "draw the distributions as PNG and SVG into `DIR`"},
				},
				Action: e.manifestStats,
			},
		},
	}
}

func (e *env) manifestBuild(c *cli.Context) error {
	if c.Int("workers") < 0 {
		return usage("--workers is %d, want 0 or more", c.Int("workers"))
	}
	forget, err := tombstones(c)
	if err != nil {
		return err
	}
	s, err := manifest.Build(c.Context, manifest.BuildOptions{
		Tombstones:   forget,
		Root:         c.String("root"),
		Layout:       manifest.Layout(c.String("layout")),
		Out:          c.String("out"),
		IdentityMeta: c.String("identity-meta"),
		Lists:        c.StringSlice("list"),
		Boxes:        c.StringSlice("boxes"),
		Landmarks:    c.StringSlice("landmarks"),
		Ages:         c.StringSlice("ages"),
		IdentityAges: c.String("identity-ages"),
		Attributes:   c.StringSlice("attributes"),
		NoScan:       c.Bool("no-scan"),
		TrustList:    c.Bool("trust-list"),
		Workers:      c.Int("workers"),
		Progress:     e.progress(c),
	})
	if errors.Is(err, manifest.ErrOption) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	anonymous := manifest.Layout(c.String("layout")).Anonymous()
	if err := e.result(c, s, func(w io.Writer) {
		if anonymous {
			fmt.Fprintf(w, "%s: %d images without identities\n", s.Out, s.Images)
		} else {
			fmt.Fprintf(w, "%s: %d images of %d identities\n", s.Out, s.Images, s.Identities)
			fmt.Fprintf(w, "  train       %d images, %d identities\n", s.TrainImages, s.TrainIdentities)
			fmt.Fprintf(w, "  test        %d images, %d identities\n", s.TestImages, s.TestIdentities)
		}
		fmt.Fprintf(w, "  boxes       %d\n", s.Boxes)
		fmt.Fprintf(w, "  landmarks   %d\n", s.Landmarks)
		fmt.Fprintf(w, "  ages        %d\n", s.Ages)
		fmt.Fprintf(w, "  genders     %d\n", s.Genders)
		if s.Forgotten > 0 {
			fmt.Fprintf(w, "  forgotten   %d images left out\n", s.Forgotten)
		}
		fmt.Fprintf(w, "  digest      %s\n", s.Digest)
		fmt.Fprintf(w, "  time        %.1f s, %.0f images/s\n", s.Seconds, s.ImagesPerSecond)
		printProblems(w, s.Problems, s.ProblemCounts, s.Examples)
	}); err != nil {
		return err
	}
	switch {
	case s.UnreadableDirs > 0:
		return incomplete("%d directories can't be read; their images are missing from the manifest", s.UnreadableDirs)
	case c.Bool("strict") && s.Problems > 0:
		return fmt.Errorf("%d problems were found (--strict)", s.Problems)
	}
	how := "first-n --val 20"
	if anonymous {
		how = "random --ratio 0.2"
	}
	e.hint(c, `run "vf2prep split make --manifest %s --strategy %s --out split/"`, s.Out, how)
	return nil
}

// printProblems lists problems by code, with the first examples of each.
func printProblems(w io.Writer, total int64, counts map[string]int64, examples map[string][]manifest.Problem) {
	if total == 0 {
		fmt.Fprintln(w, "  problems    none")
		return
	}
	fmt.Fprintf(w, "  problems    %d\n", total)
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "    %-24s%d\n", code, counts[code])
		for _, p := range examples[code] {
			fmt.Fprintf(w, "      %s\n", p)
		}
	}
}

func (e *env) manifestVerify(c *cli.Context) error {
	if c.Int("limit") < 0 || c.Int("workers") < 0 {
		return usage("--limit and --workers must be 0 or more")
	}
	v, err := manifest.Verify(c.Context, manifest.VerifyOptions{
		Manifest: c.String("manifest"),
		Root:     c.String("root"),
		Limit:    c.Int("limit"),
		Workers:  c.Int("workers"),
		Progress: e.progress(c),
	})
	if err != nil {
		return err
	}
	if err := e.result(c, v, func(w io.Writer) {
		for _, f := range v.Findings {
			fmt.Fprintf(w, "%s: %s: %s\n", f.Path, f.Kind, f.Detail)
		}
		if more := v.Problems - int64(len(v.Findings)); more > 0 {
			fmt.Fprintf(w, "... and %d more (--limit 0 lists all)\n", more)
		}
		fmt.Fprintf(w, "%d of %d images read: %d missing, %d changed, %d unreadable, %d extra\n", v.Checked, v.Images, v.Missing, v.Changed, v.Unreadable, v.Extra)
		if v.NoDigest > 0 {
			fmt.Fprintf(w, "%d rows have no digest, since the manifest was built with --no-scan\n", v.NoDigest)
		}
	}); err != nil {
		return err
	}
	if v.Problems > 0 {
		return fmt.Errorf("%s: %d differences to the files", c.String("manifest"), v.Problems)
	}
	return nil
}

// statsJSON is what manifest stats prints: the counts and these.
type statsJSON struct {
	manifest.Counts
	MissingSampleNum        int64                         `json:"missing_sample_num"`
	MinImagesPerIdentity    float64                       `json:"min_images_per_identity"`
	MedianImagesPerIdentity float64                       `json:"median_images_per_identity"`
	MeanImagesPerIdentity   float64                       `json:"mean_images_per_identity"`
	MaxImagesPerIdentity    float64                       `json:"max_images_per_identity"`
	MedianWidth             float64                       `json:"median_width"`
	MedianHeight            float64                       `json:"median_height"`
	MeanBytes               float64                       `json:"mean_bytes"`
	SmallImages             int64                         `json:"small_images"`
	MinAge                  float64                       `json:"min_age"`
	MedianAge               float64                       `json:"median_age"`
	MeanAge                 float64                       `json:"mean_age"`
	MaxAge                  float64                       `json:"max_age"`
	MaleImages              int64                         `json:"male_images"`
	FemaleImages            int64                         `json:"female_images"`
	Attributes              int                           `json:"attributes"`
	Digest                  string                        `json:"digest"`
	Examples                map[string][]manifest.Problem `json:"problem_examples,omitempty"`
	Plots                   []string                      `json:"plots,omitempty"`
}

func (e *env) manifestStats(c *cli.Context) error {
	var s *manifest.Stats
	var err error
	switch file, meta := c.String("manifest"), c.String("identity-meta"); {
	case (file == "") == (meta == ""):
		return usage("manifest stats: give either --manifest or --identity-meta")
	case file != "":
		s, err = manifest.FileStats(c.Context, file)
	default:
		s, err = manifest.MetaStats(c.Context, meta)
	}
	if err != nil {
		return err
	}
	var plots []string
	if dir := c.String("plots"); dir != "" {
		if plots, err = s.Plot(dir); err != nil {
			return err
		}
	}
	return e.result(c, statsJSON{
		Counts: s.Counts, MissingSampleNum: s.MissingSampleNum,
		MinImagesPerIdentity: s.ImagesPerIdentity.Min, MedianImagesPerIdentity: s.ImagesPerIdentity.Median,
		MeanImagesPerIdentity: s.ImagesPerIdentity.Mean, MaxImagesPerIdentity: s.ImagesPerIdentity.Max,
		MedianWidth: s.Width.Median, MedianHeight: s.Height.Median, MeanBytes: s.Bytes.Mean, SmallImages: s.SmallImages,
		MinAge: s.Age.Min, MedianAge: s.Age.Median, MeanAge: s.Age.Mean, MaxAge: s.Age.Max,
		MaleImages: s.MaleImages, FemaleImages: s.FemaleImages, Attributes: s.Attributes, Digest: s.Digest,
		Examples: s.Examples, Plots: plots,
	}, func(w io.Writer) {
		fmt.Fprintf(w, "images       %d (%d train, %d test)\n", s.Images, s.TrainImages, s.TestImages)
		if s.Anonymous {
			fmt.Fprintf(w, "identities   none: nobody is named; %d images male, %d female\n", s.MaleImages, s.FemaleImages)
		} else {
			fmt.Fprintf(w, "identities   %d (%d train, %d test), %d male, %d female\n", s.Identities, s.TrainIdentities, s.TestIdentities, s.Male, s.Female)
		}
		if s.MissingSampleNum > 0 {
			fmt.Fprintf(w, "             %d without Sample_Num\n", s.MissingSampleNum)
		}
		printSpread(w, "per identity", s.ImagesPerIdentity, "images")
		printSpread(w, "width", s.Width, "px")
		printSpread(w, "height", s.Height, "px")
		printSpread(w, "file", s.Bytes, "bytes")
		printSpread(w, "age", s.Age, "years")
		printProblems(w, s.Problems, s.ProblemCounts, s.Examples)
		if len(plots) > 0 {
			fmt.Fprintf(w, "plots        %s\n", strings.Join(plots, " "))
		}
	})
}

func printSpread(w io.Writer, name string, s manifest.Spread, unit string) {
	if s.N > 0 {
		fmt.Fprintf(w, "%-13s%g to %g %s, median %g, mean %.1f\n", name, s.Min, s.Max, unit, s.Median, s.Mean)
	}
}
